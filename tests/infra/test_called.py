"""What functions are granted is what they call, and the other way round.

calls.json holds what was called in runs of the whole loop; CONTRIBUTING.md says how it is made.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore import xform_name

from local.aws.asked import INSTANCE
from local.aws.recording import recorded, without_fleet
from tests.infra.template import Template

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests/data/calls.json"
FLEET = "demo"
FUNCTIONS = ("placement", "scaler", "registrar", "reconciler", "locator", "suspend")
NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::SQS::Queue": "QueueName",
}
"""The property that holds the name by which a request calls such a resource."""
POLLS = "Lambda takes messages from the queue by itself, with the function's role"
KEEPS = "Lambda keeps events that failed by itself, with the function's role"
DELETION = "when the stack is deleted, which the local cloud doesn't do"
REASONS = {
    **{
        (function, f"sqs:{action} {queue}"): POLLS
        for function, queue in (("registrar", "registrar"), ("scaler", "capacity"))
        for action in (
            "ChangeMessageVisibility",
            "DeleteMessage",
            "GetQueueAttributes",
            "GetQueueUrl",
            "ReceiveMessage",
        )
        if (function, action) != ("registrar", "ChangeMessageVisibility")
    },
    **{
        (function, f"sqs:{action} {function}-dlq"): KEEPS
        for function in ("placement", "scaler", "reconciler")
        for action in ("GetQueueAttributes", "GetQueueUrl", "SendMessage")
    },
    (
        "scaler",
        "cloudwatch:GetMetricData",
    ): "where a pool tracks metrics or has a forecast, as in no profile of the loop's",
    ("scaler", "ec2:DescribeLaunchTemplateVersions"): "where a pool replaces nodes of an old image, likewise",
    ("suspend", "autoscaling:DescribeAutoScalingGroups"): DELETION,
    ("suspend", "autoscaling:SetInstanceProtection"): DELETION,
}
"""What is granted though no run has called it, by function and entry."""


@pytest.fixture(scope="session")
def template(tenants: Template) -> Template:
    """With all functions that there are."""
    return tenants


def granted(template: Template, function: str) -> frozenset[str]:
    """Entries as they are recorded, `action thing`; the thing is a pattern where the policy has one."""
    name = f"{FLEET}-{function}"
    entries = frozenset(_entries(template, template.role_of_function(name)))
    return without_fleet({name: entries}, FLEET)[function]


def _entries(template: Template, role: str) -> Iterator[str]:
    names = {
        logical: str(properties[field])
        for kind, field in NAMES.items()
        for logical, properties in template.of_type(kind).items()
    }
    for statement in template.statements_of(role):
        assert statement.effect == "Allow"
        for resource in statement.resources:
            yield from (f"{action} {thing_of(resource, names)}".strip() for action in statement.actions)


def thing_of(resource: str, names: dict[str, str]) -> str:
    """What a request calls the resource by; "" where requests don't name such resources, or it is any."""
    reference = re.fullmatch(r"<([^.>]+)(?:\.Arn)?>(.*)", resource)
    if reference:
        name = names.get(reference[1], "")
        return f"{name}{reference[2]}" if name else ""
    _, _, kind = resource.rpartition(":")
    if kind.startswith("instance/"):
        return INSTANCE
    return (
        kind.removeprefix("parameter").removeprefix("document/") if kind.startswith(("parameter/", "document/")) else ""
    )


def is_called(entry: str, calls: frozenset[str]) -> bool:
    return bool(fnmatch.filter(calls, entry))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_granted_all_that_it_calls(template: Template, function: str) -> None:
    entries = granted(template, function)
    calls = recorded(KEPT)[function]
    assert calls
    assert [call for call in sorted(calls) if not any(fnmatch.fnmatchcase(call, entry) for entry in entries)] == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_calls_all_that_it_is_granted(template: Template, function: str) -> None:
    calls = recorded(KEPT)[function]
    idle = {entry for entry in granted(template, function) if not is_called(entry, calls)}
    assert sorted(idle - {entry for name, entry in REASONS if name == function}) == []


def test_each_reason_is_of_something_granted_that_was_not_called(template: Template) -> None:
    calls = recorded(KEPT)
    needed = {
        (function, entry)
        for function in FUNCTIONS
        for entry in granted(template, function)
        if not is_called(entry, calls[function])
    }
    assert sorted(REASONS.keys() - needed) == []


def test_each_recorded_call_still_stands_in_the_adapters() -> None:
    sources = (*(ROOT / "swarmkeeper" / "adapters" / "aws").glob("*.py"), ROOT / "infra" / "suspend.py")
    words = {word for source in sources for word in re.findall(r"\w+", source.read_text(encoding="utf-8"))}
    actions = {call.split()[0].partition(":")[2] for calls in recorded(KEPT).values() for call in calls}
    assert sorted(action for action in actions if xform_name(action) not in words) == []
