"""cdk-nag's AwsSolutions rules find nothing that isn't acknowledged, and each acknowledgement is of something found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from infra.acknowledged import VALIDATION, acknowledged, logical_id
from infra.names import Names
from infra.stack import FleetStack
from swarmkeeper.edge.settings import Settings, load_settings
from tests.infra.test_slots import with_slots

ROOT = Path(__file__).parents[2]
DEMO, WHOLE = "swarmkeeper.demo.yaml", "swarmkeeper.example.yaml"
Finding = tuple[str, str]
"""A construct's path within the stack, and what the rule calls its finding."""


def checked(
    profile: str, folder: Path, *, acknowledging: bool, entry: str = "", account: str = ""
) -> tuple[FleetStack, set[Finding]]:
    """The profile's stack, and what is found in it."""
    return found_in(settings_of(profile, folder, entry, account), folder, acknowledging=acknowledging)


def found_in(settings: Settings, folder: Path, *, acknowledging: bool) -> tuple[FleetStack, set[Finding]]:
    """The stack of these settings, and what is found in it."""
    app = App(outdir=str(folder), analytics_reporting=False)
    stack = FleetStack(app, settings, acknowledging=acknowledging)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:
        assert "ValidationFailed" in str(error)  # its report says the rest
    report = json.loads((folder / "validation-report.json").read_text(encoding="utf-8"))
    return stack, {
        (one["constructPath"].removeprefix(f"{stack.node.path}/"), violation["ruleName"])
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for one in violation["violatingConstructs"]
    }


def settings_of(profile: str, folder: Path, entry: str, account: str) -> Settings:
    """The profile, with another entry or with wishes of the account's owners."""
    text = (ROOT / profile).read_text()
    if entry:
        text = text.replace("  domain:", f"  entry: {{{entry}}}\n  domain:", 1)
    if account:
        text += f"\naccount: {{{account}}}\n"
    file = folder / profile
    file.write_text(text)
    return load_settings(file)


@pytest.mark.parametrize(
    ("profile", "entry", "account"),
    [
        (DEMO, "", ""),
        (WHOLE, "", ""),
        (DEMO, "hosted_zone: {id: Z0123456789ABC, name: fleet.example}, public: true", ""),
        (DEMO, "", "key: made"),
    ],
)
def test_nothing_is_found_that_is_not_acknowledged(profile: str, entry: str, account: str, tmp_path: Path) -> None:
    assert checked(profile, tmp_path, acknowledging=True, entry=entry, account=account)[1] == set()


def test_nothing_is_found_where_managers_have_slots_that_is_not_acknowledged(tmp_path: Path) -> None:
    assert found_in(with_slots(), tmp_path, acknowledging=True)[1] == set()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FleetStack, set[Finding]]]:
    """The stack with all that there is as the rules see it when nothing is acknowledged."""
    yield checked(WHOLE, tmp_path_factory.mktemp("cdk"), acknowledging=False)


def test_every_acknowledgement_is_of_something_found(found: tuple[FleetStack, set[Finding]]) -> None:
    stack, findings = found
    settings = load_settings(ROOT / WHOLE)
    table = logical_id(stack, stack.state.table)
    unused = [
        each
        for each in acknowledged(Names(settings.fleet), settings, table)
        if not any(
            each.finding in (finding, VALIDATION.format(finding)) and path.startswith(each.under)
            for path, finding in findings
        )
    ]
    assert findings
    assert unused == []


def test_every_acknowledgement_gives_a_reason() -> None:
    settings = load_settings(ROOT / WHOLE)
    assert all(len(each.reason.split()) >= 4 for each in acknowledged(Names("demo"), settings, "Table"))
