"""Scheduled rules fire at their rate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

import pytest
from botocore.exceptions import ClientError

from local.aws.bus import UNDISTURBED, Bus
from local.aws.schedules import InvalidScheduleError, Schedules, interval_s
from tests.unit.local.wiring import Account

EVENTS = "events.amazonaws.com"


@pytest.fixture
def schedules(account: Account) -> Iterator[Schedules]:
    bus = Bus(account.server, account.functions, UNDISTURBED)
    one = Schedules(account.server, bus)
    yield one
    one.stop()
    bus.stop()


def rule(account: Account, expression: str, target_arn: str = "", **target: object) -> str:
    events = account.server.client("events")
    arn = events.put_rule(Name="tick", ScheduleExpression=expression)["RuleArn"]
    if target_arn:
        events.put_targets(Rule="tick", Targets=[{"Id": "t", "Arn": target_arn, **target}])
    return str(arn)


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(1 hour)", 3600), ("rate(2 days)", 172_800)],
)
def test_a_rate_is_an_interval(expression: str, seconds: float) -> None:
    assert interval_s(expression) == seconds


@pytest.mark.parametrize(
    "expression", ["rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "rate(5 seconds)", "cron(0 * * * ? *)", ""]
)
def test_an_expression_that_would_never_fire_is_invalid(expression: str) -> None:
    with pytest.raises(InvalidScheduleError):
        interval_s(expression)


def test_a_rule_with_cron_is_refused_with_the_reason(account: Account, schedules: Schedules) -> None:
    with pytest.raises(ClientError, match="rate"):
        rule(account, "cron(0 12 * * ? *)")


def test_a_rule_fires_within_its_rate_and_then_at_it(account: Account, schedules: Schedules) -> None:
    rule(account, "rate(1 minute)")
    began = 1_000_000.0  # beyond the real clock, whose own checks must not disturb
    schedules.fire_due(began)
    fired = [second for second in range(1, 181) if schedules.fire_due(began + second)]
    assert len(fired) in {3, 4}
    assert fired[0] <= 60
    assert {later - earlier for earlier, later in pairwise(fired)} <= {59, 60, 61}


def test_a_disabled_rule_does_not_fire(account: Account, schedules: Schedules) -> None:
    rule(account, "rate(1 minute)")
    account.server.client("events").disable_rule(Name="tick")
    schedules.fire_due(1_000_000.0)
    assert schedules.fire_due(1_000_100.0) == 0


def test_a_target_gets_the_scheduled_event(account: Account, schedules: Schedules) -> None:
    url, arn = account.queue("q", open_to=EVENTS)
    rule_arn = rule(account, "rate(1 minute)", arn)
    schedules.fire_due(1_000_000.0)
    schedules.fire_due(1_000_100.0)
    event = json.loads(account.wait_for_bodies(url)[0])
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert (event["resources"], event["detail"]) == ([rule_arn], {})


def test_a_target_may_get_a_constant_instead(account: Account, schedules: Schedules) -> None:
    url, arn = account.queue("q", open_to=EVENTS)
    rule(account, "rate(1 minute)", arn, Input='{"do": "sweep"}')
    schedules.fire_due(1_000_000.0)
    schedules.fire_due(1_000_100.0)
    assert json.loads(account.wait_for_bodies(url)[0]) == {"do": "sweep"}
