"""docs/operations.md has a section on every alarm that the template makes, and on no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from swarmkeeper.cli.dead_letters import QUEUED, QUEUES
from tests.infra.template import Template

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
POOL_TAG = "swarmkeeper:pool"


@pytest.fixture(scope="session")
def template(tenants: Template) -> Template:
    """With all alarms that there are."""
    return tenants


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    """The template's alarms by the name that the page gives them: `<fleet>` and `<pool>` stand for the demo's."""
    return {_told(each): each for each in template.of_type("AWS::CloudWatch::Alarm").values()}


def sections() -> dict[str, str]:
    """Alarm -> the text below its heading; a heading may name several."""
    chapter = PAGE.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    parts = re.split(r"^### (.+)$", chapter, flags=re.MULTILINE)[1:]
    return {
        name: text
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
        for name in re.findall("`(.+?)`", heading)
    }


def queues(template: Template) -> set[str]:
    named = (str(each["QueueName"]) for each in template.of_type("AWS::SQS::Queue").values())
    return {name.replace("demo-", "<fleet>-", 1) for name in named if name.endswith("-dlq")}


def _told(alarm: dict[str, Any]) -> str:
    tags = {each["Key"]: each["Value"] for each in alarm["Tags"]}
    name = str(alarm["AlarmName"]).replace("demo-", "<fleet>-", 1)
    return name.replace(f"-{tags[POOL_TAG]}-", "-<pool>-", 1) if POOL_TAG in tags else name


def test_every_alarm_has_a_section_and_every_section_an_alarm(template: Template) -> None:
    assert set(sections()) == set(alarms(template))


def test_a_section_names_what_its_alarm_measures(template: Template) -> None:
    told = sections()
    unnamed = {name for name, alarm in alarms(template).items() if f"`{alarm['MetricName']}`" not in told[name]}
    assert unnamed == set()


def test_every_dead_letter_queue_is_in_the_table_of_them(template: Template) -> None:
    chapter = PAGE.partition("\n## The dead-letter queues\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(.+?)` \|", chapter, flags=re.MULTILINE)) == queues(template)


def test_the_command_that_redrives_knows_every_dead_letter_queue_and_where_its_events_go(template: Template) -> None:
    assert {f"<fleet>-{name}-dlq" for name in QUEUES} == queues(template)
    functions = {
        str(each["FunctionName"])
        for each in template.of_type("AWS::Lambda::Function").values()
        if "FunctionName" in each
    }
    assert {f"demo-{name}" for name in QUEUES} <= functions
    own = {str(each["QueueName"]) for each in template.of_type("AWS::SQS::Queue").values()} & functions
    assert own == {f"demo-{name}" for name in QUEUED}


def test_links_within_the_page_lead_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#(.+?)\)", PAGE)) <= anchors
