"""What an account's owners want: tags, retention of logs, a budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmkeeper.edge.settings import Settings, SettingsError, load_settings
from tests.infra.conftest import ROOT, synthesised
from tests.infra.template import Template

WANTED = """
account:
  tags: {team: blue}
  log_retention_days: 7
  budget: {monthly: 250.5, notify: [ops@example.com, boss@example.com]}
"""


def settings_with(account: str, folder: Path) -> Settings:
    file = folder / "swarmkeeper.yaml"
    file.write_text((ROOT / "swarmkeeper.demo.yaml").read_text() + account)
    return load_settings(file)


@pytest.fixture
def wanted(tmp_path: Path) -> Template:
    return synthesised(settings_with(WANTED, tmp_path), tmp_path)


def retentions(template: Template) -> set[int]:
    return {group["RetentionInDays"] for group in template.of_type("AWS::Logs::LogGroup").values()}


def test_every_log_is_kept_as_long_as_wanted(wanted: Template, template: Template) -> None:
    assert retentions(wanted) == {7}
    assert retentions(template) == {30}


def test_resources_and_instances_carry_the_owners_tags_and_ours(wanted: Template) -> None:
    table = wanted.one("AWS::DynamoDB::Table", TableName="demo-state")
    assert {"Key": "team", "Value": "blue"} in table["Tags"]
    assert {"Key": "swarmkeeper:fleet", "Value": "demo"} in table["Tags"]
    group = wanted.one("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName="demo-workers")
    assert {"Key": "team", "PropagateAtLaunch": True, "Value": "blue"} in group["Tags"]


def test_a_budget_counts_the_fleets_tag_and_tells_everybody(wanted: Template, template: Template) -> None:
    budget = wanted.one("AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 250.5, "Unit": "USD"}
    assert budget["Budget"]["CostFilters"] == {"TagKeyValue": ["user:swarmkeeper:fleet$demo"]}
    told = budget["NotificationsWithSubscribers"]
    assert [(each["Notification"]["NotificationType"], each["Notification"]["Threshold"]) for each in told] == [
        ("ACTUAL", 80),
        ("FORECASTED", 100),
    ]
    addresses = [[subscriber["Address"] for subscriber in each["Subscribers"]] for each in told]
    assert addresses == [["ops@example.com", "boss@example.com"]] * 2
    assert not template.of_type("AWS::Budgets::Budget")


@pytest.mark.parametrize(
    ("account", "field"),
    [
        ("tags: {swarmkeeper:fleet: other}", "account.tags.swarmkeeper:fleet"),
        ("tags: {AWS:x: y}", "account.tags.AWS:x"),
        ("log_retention_days: 8", "account.log_retention_days"),
        ("budget: {monthly: 0, notify: [ops@example.com]}", "account.budget.monthly"),
        ("budget: {monthly: 5, notify: [nobody]}", "account.budget.notify.0"),
        ("budget: {monthly: 5, notify: []}", "account.budget.notify"),
    ],
)
def test_what_aws_would_refuse_is_refused_by_its_field(tmp_path: Path, account: str, field: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_with(f"\naccount:\n  {account}\n", tmp_path)
    assert f" {field}: " in str(refused.value)
