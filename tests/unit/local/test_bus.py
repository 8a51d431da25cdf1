"""Events reach the targets of the rules that match, with AWS's limits and disturbances."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from local.aws import patterns
from local.aws.bus import UNDISTURBED, Bus, Disturbance
from local.aws.targets import Target
from tests.unit.local.wiring import Account, wait_until

EVENTS = "events.amazonaws.com"


@pytest.fixture
def bus(account: Account) -> Iterator[Bus]:
    one = Bus(account.server, account.functions, UNDISTURBED)
    yield one
    one.stop()


def rule(account: Account, target_arn: str, name: str = "r", pattern: object = None, **target: object) -> str:
    """Make a rule with one target and return its ARN."""
    events = account.server.client("events")
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern or {"source": ["test"]}))["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": target_arn, **target}])
    return str(arn)


def test_an_event_reaches_a_queue_as_aws_writes_it(account: Account, bus: Bus) -> None:
    url, arn = account.queue("q", open_to=EVENTS)
    rule(account, arn)
    event_id = bus.emit(source="test", detail_type="Kind", detail={"a": 1}, resources=["arn:x"])
    event = json.loads(account.wait_for_bodies(url)[0])
    assert event.pop("time").endswith("Z")
    assert event == {
        "version": "0",
        "id": event_id,
        "detail-type": "Kind",
        "source": "test",
        "account": "123456789012",
        "region": account.server.region,
        "resources": ["arn:x"],
        "detail": {"a": 1},
    }


def test_an_event_put_through_the_api_invokes_a_function(account: Account, bus: Bus) -> None:
    function = account.add()
    account.allow("f", EVENTS, rule(account, function))
    answer = account.server.client("events").put_events(
        Entries=[{"Source": "test", "DetailType": "Kind", "Detail": '{"a": 1}'}]
    )
    assert answer["FailedEntryCount"] == 0
    event = account.wait_for_calls(1)[0]["event"]
    assert (event["id"], event["detail"]) == (answer["Entries"][0]["EventId"], {"a": 1})


def test_only_rules_that_match_and_are_enabled_are_served(account: Account, bus: Bus) -> None:
    url, arn = account.queue("q", open_to=EVENTS)
    rule(account, arn, "other", {"source": ["elsewhere"]})
    rule(account, arn, "off")
    account.server.client("events").disable_rule(Name="off")
    rule(account, arn, "on", {"detail": {"state": [{"anything-but": ["x"]}]}})
    bus.emit(source="test", detail_type="Kind", detail={"state": "y"})
    account.wait_for_bodies(url)
    assert bus.history()[-1].rules == ("on",)
    assert account.bodies(url) == []


@pytest.mark.parametrize("kind", ["queue", "function"])
def test_a_target_whose_policy_does_not_allow_it_gets_nothing(
    account: Account, bus: Bus, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    url, queue_arn = account.queue("q")
    rule(account, queue_arn if kind == "queue" else account.add())
    bus.emit(source="test", detail_type="Kind", detail={})
    wait_until(lambda: "event dropped" in caplog.text)
    assert account.bodies(url) == []
    assert account.calls() == []


def test_what_could_not_be_delivered_goes_to_the_targets_dead_letters(account: Account, bus: Bus) -> None:
    url, arn = account.queue("dead")
    rule(account, account.add(), DeadLetterConfig={"Arn": arn})
    event_id = bus.emit(source="test", detail_type="Kind", detail={})
    assert json.loads(account.wait_for_bodies(url)[0])["id"] == event_id


def test_permission_for_one_rule_is_not_permission_for_another(
    account: Account, bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    function = account.add()
    account.allow("f", EVENTS, "arn:aws:events:eu-central-1:123456789012:rule/another")
    rule(account, function)
    bus.emit(source="test", detail_type="Kind", detail={})
    wait_until(lambda: "event dropped" in caplog.text)
    assert account.calls() == []


def test_events_come_twice_and_out_of_order_when_disturbed(account: Account) -> None:
    url, arn = account.queue("q", open_to=EVENTS)
    rule(account, arn)
    bus = Bus(account.server, account.functions, Disturbance(lag_s=(0.0, 0.2), duplicate_share=0.5, seed=3))
    try:
        for number in range(20):
            bus.emit(source="test", detail_type="Kind", detail={"number": number})
        got: list[dict[str, object]] = []

        def all_came_and_some_twice() -> bool:
            got.extend(json.loads(body) for body in account.bodies(url))
            return len({str(event["id"]) for event in got}) == 20 and len(got) > 20

        wait_until(all_came_and_some_twice)
    finally:
        bus.stop()
    numbers = [json.dumps(event["detail"]) for event in got]
    assert list(dict.fromkeys(numbers)) != [json.dumps({"number": number}) for number in range(20)]


def test_deliveries_are_lost_only_while_they_are_told_to_be(account: Account, bus: Bus) -> None:
    url, arn = account.queue("q", open_to=EVENTS)
    rule(account, arn)
    bus.dice.disturbance = Disturbance(lag_s=(0.0, 0.0), duplicate_share=0.0, lost_share=1.0)
    bus.emit(source="test", detail_type="Kind", detail={"number": 1})
    bus.dice.disturbance = UNDISTURBED
    bus.emit(source="test", detail_type="Kind", detail={"number": 2})
    assert [json.loads(body)["detail"] for body in account.wait_for_bodies(url)] == [{"number": 2}]


def test_what_is_not_delivered_when_it_stops_is_dropped(account: Account) -> None:
    url, arn = account.queue("q", open_to=EVENTS)
    rule(account, arn)
    bus = Bus(account.server, account.functions, Disturbance(lag_s=(60.0, 60.0)))
    bus.emit(source="test", detail_type="Kind", detail={})
    bus.stop()
    assert account.bodies(url) == []


def test_more_than_ten_entries_are_refused(account: Account, bus: Bus) -> None:
    entry = {"Source": "test", "DetailType": "Kind", "Detail": "{}"}
    with pytest.raises(ClientError, match="less than or equal to 10"):
        account.server.client("events").put_events(Entries=[entry] * 11)


def test_more_than_256_kib_are_refused(account: Account, bus: Bus) -> None:
    entry = {"Source": "test", "DetailType": "Kind", "Detail": json.dumps({"text": "x" * 140_000})}
    with pytest.raises(ClientError, match="over the limit"):
        account.server.client("events").put_events(Entries=[entry] * 2)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"Source": "aws.ec2"}, "NotAuthorizedForSourceException", id="an AWS service's source"),
        pytest.param({"Detail": "[1]"}, "MalformedDetail", id="detail isn't an object"),
        pytest.param({"Detail": "{"}, "MalformedDetail", id="detail isn't JSON"),
        pytest.param({"DetailType": ""}, "InvalidArgument", id="no detail type"),
    ],
)
def test_a_bad_entry_fails_alone(account: Account, bus: Bus, change: dict[str, str], code: str) -> None:
    good = {"Source": "test", "DetailType": "Kind", "Detail": "{}"}
    answer = account.server.client("events").put_events(Entries=[good, good | change])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][1]["ErrorCode"] == code
    assert len(bus.history()) == 1


def test_the_history_holds_events_that_no_rule_matched(bus: Bus) -> None:
    event_id = bus.emit(source="nobody", detail_type="Kind", detail={})
    (passed,) = bus.history()
    assert (passed.event.id, passed.rules) == (event_id, ())


def test_a_pattern_with_an_unknown_operator_is_refused(account: Account, bus: Bus) -> None:
    with pytest.raises(ClientError, match="InvalidEventPatternException"):
        rule(account, account.queue("q")[1], pattern={"source": [{"matches": "x"}]})


EVENT = {
    "source": "aws.autoscaling",
    "detail": {"group": "demo-web", "count": 3, "state": {"now": "on"}, "tags": ["a", "b"], "flag": False},
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param({"source": ["aws.autoscaling"]}, True, id="equal"),
        pytest.param({"source": ["aws.autoscaling", "x"], "detail": {"group": ["y"]}}, False, id="every field"),
        pytest.param({"detail": {"group": [{"prefix": "demo-"}]}}, True, id="prefix"),
        pytest.param({"detail": {"group": [{"prefix": "prod-"}]}}, False, id="another prefix"),
        pytest.param({"detail": {"group": [{"suffix": "-web"}]}}, True, id="suffix"),
        pytest.param({"detail": {"group": [{"anything-but": "demo-web"}]}}, False, id="anything-but itself"),
        pytest.param({"detail": {"group": [{"anything-but": {"prefix": "prod"}}]}}, True, id="anything-but a prefix"),
        pytest.param({"detail": {"group": [{"exists": True}]}}, True, id="exists"),
        pytest.param({"detail": {"absent": [{"exists": False}]}}, True, id="doesn't exist"),
        pytest.param({"detail": {"absent": [{"anything-but": "x"}]}}, False, id="anything-but of what is absent"),
        pytest.param({"detail": {"count": [{"numeric": [">", 2, "<=", 3]}]}}, True, id="in a range"),
        pytest.param({"detail": {"count": [{"numeric": [">", 3]}]}}, False, id="out of a range"),
        pytest.param({"detail": {"state": {"now": ["on"]}}}, True, id="nested"),
        pytest.param({"detail": {"tags": ["b"]}}, True, id="one of an array"),
        pytest.param({"detail": {"group": [{"wildcard": "*-w?b"}]}}, False, id="no question mark in wildcards"),
        pytest.param({"$or": [{"source": ["x"]}, {"detail": {"count": [3]}}]}, True, id="or"),
        pytest.param({"source": [{"equals-ignore-case": "AWS.autoscaling"}]}, True, id="case ignored"),
    ],
)
def test_patterns_match_as_on_aws(pattern: object, expected: bool) -> None:
    assert patterns.matches(json.dumps(pattern), EVENT) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("{", id="not JSON"),
        pytest.param("{}", id="empty"),
        pytest.param('{"source": "x"}', id="not an array"),
        pytest.param('{"source": []}', id="an empty array"),
        pytest.param('{"detail": {"a": [["x"]]}}', id="an array in an array"),
    ],
)
def test_patterns_that_aws_refuses_are_invalid(pattern: str) -> None:
    with pytest.raises(patterns.InvalidPatternError):
        patterns.check(pattern)


RULE_ARN = "arn:aws:events:eu-central-1:123456789012:rule/r"


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        pytest.param({}, EVENT, id="the event"),
        pytest.param({"Input": '{"fixed": 1}'}, {"fixed": 1}, id="a constant"),
        pytest.param({"InputPath": "$.detail.state"}, {"now": "on"}, id="a part"),
        pytest.param({"InputPath": "$.detail.tags[1]"}, "b", id="an element"),
        pytest.param(
            {
                "InputTransformer": {
                    "InputPathsMap": {"group": "$.detail.group", "count": "$.detail.count", "tags": "$.detail.tags"},
                    "InputTemplate": '{"text": "<group> has \\"<count>\\"", "tags": <tags>, "g": <group>,'
                    ' "rule": "<aws.events.rule-name>"}',
                }
            },
            {"text": 'demo-web has "3"', "tags": ["a", "b"], "g": "demo-web", "rule": "r"},
            id="transformed",
        ),
    ],
)
def test_a_target_gets_its_input(described: dict[str, object], expected: object) -> None:
    target = Target.from_api({"Arn": "arn:aws:sqs:eu-central-1:123456789012:q", **described})
    assert json.loads(target.input(EVENT, RULE_ARN)) == expected
