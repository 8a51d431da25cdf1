"""What triggers what, and what becomes of what fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.aws.patterns import matches
from swarmkeeper.services.needs import NEED_WINDOW_S
from tests.infra.template import Template

EVENTS = Path(__file__).parents[1] / "functions" / "events"

# Every recorded event and the functions that it reaches, directly or through the registrar's queue.
REACHED = {
    "launch_hook": {"registrar"},
    "terminate_hook": {"registrar"},
    "foreign_launch_hook": set(),
    "instance_terminated": set(),
    "csr_succeeded": {"registrar"},
    "join_succeeded": {"registrar"},
    "join_failed": {"registrar"},
    "join_in_progress": set(),
    "leave_timed_out": {"registrar"},
    "pull_succeeded": {"placement", "registrar"},
    "save_succeeded": set(),  # the registrar where there is a registry (test_registry.py)
    "foreign_command": set(),
    "node_ready": {"placement"},
    "pending_retry": {"placement"},
    "inventory_due": {"placement"},
    "container_ended": {"placement"},
    "forged_by_a_node": set(),
    "container_expired": set(),
    "node_draining": {"registrar"},
    "membership_check": {"registrar"},
    "tokens_due": {"registrar"},
    "launch_abandoned": {"scaler"},
    "capacity_needed": {"capacity"},
    "spot_interruption": {"registrar"},
    "rebalance": {"registrar"},
    "launch_unsuccessful": {"scaler"},
    "launch_cancelled": {"scaler"},
    "foreign_launch_unsuccessful": set(),
    "alarm_changed": set(),
    "other_fleets_node_ready": set(),
    "schedule": set(),
}


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def targets_of(template: Template, happened: dict[str, Any]) -> set[str]:
    arns = {
        target["Arn"]
        for rule in template.of_type("AWS::Events::Rule").values()
        if "EventPattern" in rule and matches(json.dumps(rule["EventPattern"]), happened)
        for target in rule["Targets"]
    }
    return {owner(template, arn) for arn in arns}


def owner(template: Template, arn: str) -> str:
    """The function behind the alias that is a target, or the queue: the registrar's stands for the registrar."""
    queues = template.of_type("AWS::SQS::Queue")
    name = arn.removesuffix(":live").strip("<>").partition(".")[0]
    return str(queues[name]["QueueName"] if name in queues else template.called(arn)).removeprefix("demo-")


@pytest.mark.parametrize("name", REACHED)
def test_an_event_reaches_whom_it_is_for(template: Template, name: str) -> None:
    assert targets_of(template, event(name)) == REACHED[name]


def test_no_recorded_bus_event_is_left_out() -> None:
    recorded = {path.stem for path in EVENTS.glob("*.json") if "detail-type" in path.read_text(encoding="utf-8")[:200]}
    assert recorded == set(REACHED)


def test_the_schedule_runs_the_scaler_and_the_reconciler_each_minute(template: Template) -> None:
    rules = [each for each in template.of_type("AWS::Events::Rule").values() if "ScheduleExpression" in each]
    woken = [(target["Arn"], each["ScheduleExpression"]) for each in rules for target in each["Targets"]]
    every = {(owner(template, arn), schedule) for arn, schedule in woken}
    assert every == {
        ("scaler", "rate(1 minute)"),
        ("reconciler", "rate(1 minute)"),
        ("registrar", "rate(5 minutes)"),  # join tokens whose time has come
    }


@pytest.mark.parametrize("rule", ["demo-hooks", "demo-commands", "demo-registrar-events", "demo-tokens-schedule"])
def test_the_queue_takes_events_from_its_rules_only(template: Template, rule: str) -> None:
    rule_arn = f"<{template.name_of('AWS::Events::Rule', Name=rule)}.Arn>"
    queue = template.name_of("AWS::SQS::Queue", QueueName="demo-registrar")
    (policy,) = (each for each in template.of_type("AWS::SQS::QueuePolicy").values() if f"<{queue}>" in each["Queues"])
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    assert all(each["Principal"] == {"Service": "events.amazonaws.com"} for each in allowed)
    assert any(each["Condition"] == {"ArnEquals": {"aws:SourceArn": rule_arn}} for each in allowed)


def test_no_event_is_lost_when_its_target_does_not_take_it(template: Template) -> None:
    rules = [each for each in template.of_type("AWS::Events::Rule").values() if "EventPattern" in each]
    assert rules
    assert [target for rule in rules for target in rule["Targets"] if "DeadLetterConfig" not in target] == []


def test_a_message_is_tried_sixty_times_and_then_kept(template: Template) -> None:
    queue = template.one("AWS::SQS::Queue", QueueName="demo-registrar")
    kept = template.name_of("AWS::SQS::Queue", QueueName="demo-registrar-dlq")
    assert queue["RedrivePolicy"] == {"deadLetterTargetArn": f"<{kept}.Arn>", "maxReceiveCount": 60}
    assert queue["VisibilityTimeout"] == 60
    assert template.one("AWS::Lambda::Function", FunctionName="demo-registrar")["Timeout"] < queue["VisibilityTimeout"]


def test_the_registrar_answers_for_each_message_of_a_batch(template: Template) -> None:
    queue = template.name_of("AWS::SQS::Queue", QueueName="demo-registrar")
    mapping = template.one("AWS::Lambda::EventSourceMapping", EventSourceArn=f"<{queue}.Arn>")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 1  # a slow step must not hold up another node


def test_needs_wait_until_a_burst_is_there_and_reach_the_scaler(template: Template) -> None:
    queue = template.one("AWS::SQS::Queue", QueueName="demo-capacity")
    name = template.name_of("AWS::SQS::Queue", QueueName="demo-capacity")
    mapping = template.one("AWS::Lambda::EventSourceMapping", EventSourceArn=f"<{name}.Arn>")
    assert owner(template, mapping["FunctionName"]) == "scaler"
    assert (mapping["BatchSize"], mapping["FunctionResponseTypes"]) == (10, ["ReportBatchItemFailures"])
    assert queue["DelaySeconds"] >= NEED_WINDOW_S
    assert queue["VisibilityTimeout"] > template.one("AWS::Lambda::Function", FunctionName="demo-scaler")["Timeout"]
    kept = template.name_of("AWS::SQS::Queue", QueueName="demo-scaler-dlq")
    assert queue["RedrivePolicy"] == {"deadLetterTargetArn": f"<{kept}.Arn>", "maxReceiveCount": 3}


@pytest.mark.parametrize(("function", "retries"), [("placement", 2), ("scaler", 2), ("reconciler", 0)])
def test_an_invocation_that_fails_for_good_is_kept(template: Template, function: str, retries: int) -> None:
    name = template.name_of("AWS::Lambda::Function", FunctionName=f"demo-{function}")
    config = template.one("AWS::Lambda::EventInvokeConfig", FunctionName=f"<{name}>")
    kept = template.name_of("AWS::SQS::Queue", QueueName=f"demo-{function}-dlq")
    assert config["MaximumRetryAttempts"] == retries
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == f"<{kept}.Arn>"


@pytest.mark.parametrize("function", ["placement", "scaler", "registrar", "reconciler"])
def test_dead_letters_call_the_operators_not_the_scaler(template: Template, function: str) -> None:
    alarm = template.one("AWS::CloudWatch::Alarm", AlarmName=f"demo-{function}-dlq")
    operators = template.name_of("AWS::SNS::Topic", TopicName="demo-operators")
    assert alarm["AlarmActions"] == [f"<{operators}>"]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)


def test_the_alarms_topic_wakes_the_scaler_and_nobody_else(template: Template) -> None:
    (subscription,) = template.of_type("AWS::SNS::Subscription").values()
    topic = template.name_of("AWS::SNS::Topic", TopicName="demo-alarms")
    assert subscription["TopicArn"] == f"<{topic}>"
    assert owner(template, subscription["Endpoint"]) == "scaler"
    assert "deadLetterTargetArn" in subscription["RedrivePolicy"]


@pytest.mark.parametrize(
    ("alarm", "metric", "comparison", "threshold"),
    [
        ("demo-pending", "PendingContainers", "GreaterThanThreshold", 0),
        ("demo-workers-reserved-high", "ReservedShare", "GreaterThanOrEqualToThreshold", 0.8),
        ("demo-workers-reserved-low", "ReservedShare", "LessThanThreshold", 0.3),
    ],
)
def test_a_scaling_alarm_watches_its_metric_and_keeps_its_state_between_samples(
    template: Template, alarm: str, metric: str, comparison: str, threshold: float
) -> None:
    found = template.one("AWS::CloudWatch::Alarm", AlarmName=alarm)
    topic = template.name_of("AWS::SNS::Topic", TopicName="demo-alarms")
    assert (found["Namespace"], found["MetricName"]) == ("Swarmkeeper", metric)
    assert (found["ComparisonOperator"], found["Threshold"], found["Period"]) == (comparison, threshold, 10)
    assert found["TreatMissingData"] == "ignore"
    assert found["AlarmActions"] == [f"<{topic}>"]
    pools = [each["Value"] for each in found["Dimensions"] if each["Name"] == "Pool"]
    assert pools == ([] if metric == "PendingContainers" else ["workers"])


def test_silence_of_the_metrics_is_an_alarm_of_its_own(template: Template) -> None:
    alarm = template.one("AWS::CloudWatch::Alarm", AlarmName="demo-silent")
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["AlarmActions"] == [f"<{template.name_of('AWS::SNS::Topic', TopicName='demo-operators')}>"]


@pytest.mark.parametrize("function", ["placement", "scaler", "registrar", "reconciler"])
def test_a_function_is_told_where_its_state_is(template: Template, function: str) -> None:
    found = template.one("AWS::Lambda::Function", FunctionName=f"demo-{function}")
    variables = found["Environment"]["Variables"]
    assert found["Handler"] == f"functions.{function}.handler.handler"
    assert variables["SWARMKEEPER_FLEET"] == "demo"
    assert variables["SWARMKEEPER_TABLE"] == template.one("AWS::DynamoDB::Table", TableName="demo-state")["TableName"]
    assert variables["SWARMKEEPER_SETTINGS_PARAMETER"] == template.one("AWS::SSM::Parameter")["Name"]
    assert ("SWARMKEEPER_QUEUE_URL" in variables) == (function == "registrar")
    assert ("VpcConfig" in found) == (function != "scaler")
    assert ("SWARMKEEPER_HISTORY_TABLE" in variables) == (function in ("placement", "scaler"))


def test_the_scaler_knows_which_alarms_act_on_it(template: Template) -> None:
    variables = template.one("AWS::Lambda::Function", FunctionName="demo-scaler")["Environment"]["Variables"]
    topic, function = variables["SWARMKEEPER_ALARM_ACTIONS"].split(",")
    assert topic == "arn:aws:sns:eu-central-1:123456789012:demo-alarms"
    assert function == "arn:aws:lambda:eu-central-1:123456789012:function:demo-scaler:live"


def test_alarms_of_this_account_may_invoke_the_scaler(template: Template) -> None:
    alarms = "lambda.alarms.cloudwatch.amazonaws.com"
    permission = template.one("AWS::Lambda::Permission", Principal=alarms)
    assert owner(template, permission["FunctionName"]) == "scaler"
    assert permission["SourceAccount"] == "123456789012"


@pytest.mark.parametrize(
    ("alarm", "pool"),
    [("demo-pending", None), ("demo-workers-reserved-high", "workers"), ("demo-managers-failed", "managers")],
)
def test_an_alarm_says_by_its_tags_whose_it_is(template: Template, alarm: str, pool: str | None) -> None:
    listed = template.one("AWS::CloudWatch::Alarm", AlarmName=alarm)["Tags"]
    tags = {each["Key"]: each["Value"] for each in listed}
    assert (tags["swarmkeeper:fleet"], tags.get("swarmkeeper:pool")) == ("demo", pool)


@pytest.mark.parametrize("pool", ["managers", "workers"])
def test_a_pool_that_can_not_launch_calls_the_operators(template: Template, pool: str) -> None:
    alarm = template.one("AWS::CloudWatch::Alarm", AlarmName=f"demo-{pool}-failed")
    assert (alarm["MetricName"], alarm["Threshold"]) == ("PoolFailed", 0)
    assert alarm["AlarmActions"] == [f"<{template.name_of('AWS::SNS::Topic', TopicName='demo-operators')}>"]
