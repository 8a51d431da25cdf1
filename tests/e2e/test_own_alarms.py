"""People's own alarms wake the scaler: metric maths under a composite alarm that calls the function itself."""

from __future__ import annotations

from typing import Any

import pytest

from swarmkeeper.alias import ALIAS
from tests.e2e.conftest import MakeWorld
from tests.e2e.test_rechecks import request, triggers
from tests.e2e.world import SLOTS, World

pytestmark = pytest.mark.loop

OURS = ["demo-pending", "demo-workers-reserved-high", "demo-workers-reserved-low"]
WAITING: dict[str, Any] = {
    "AlarmName": "anything-waits",
    "EvaluationPeriods": 1,
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 0.0,
    "TreatMissingData": "ignore",
    "Metrics": [
        {
            "Id": "m1",
            "MetricStat": {
                "Metric": {
                    "Namespace": "Swarmkeeper",
                    "MetricName": "PendingContainers",
                    "Dimensions": [{"Name": "Fleet", "Value": "demo"}],
                },
                "Period": 10,
                "Stat": "Maximum",
            },
            "ReturnData": False,
        },
        {"Id": "e1", "Expression": "IF(m1 > 0, m1, 0)", "ReturnData": True},
    ],
}


def make_alarms(world: World) -> None:
    cloudwatch = world.client("cloudwatch")
    cloudwatch.disable_alarm_actions(AlarmNames=OURS)
    cloudwatch.put_metric_alarm(**WAITING)
    function = world.client("lambda").get_function(FunctionName="demo-scaler")["Configuration"]["FunctionArn"]
    cloudwatch.put_composite_alarm(
        AlarmName="grow-in-office-hours",
        AlarmRule='ALARM("anything-waits") AND NOT ALARM("demo-workers-reserved-low")',
        AlarmActions=[f"{function}:{ALIAS}"],
        Tags=[{"Key": "swarmkeeper:fleet", "Value": "demo"}, {"Key": "swarmkeeper:pool", "Value": "workers"}],
    )


def test_a_tagged_composite_alarm_that_calls_the_function_buys_what_waits(make_world: MakeWorld) -> None:
    world = make_world("simulated")
    make_alarms(world)
    world.first_worker()
    with world.unscheduled():  # else a recheck, which looks at our own alarms, could come first
        request(world, "web", SLOTS + 1)
        world.wait("a second worker", lambda: world.group()["DesiredCapacity"] == 2, limit_s=60)
    told = ["alarm grow-in-office-hours"]
    world.wait("that the decision is told", lambda: triggers(world, "out") == told, limit_s=10)
    world.wait("that all run", lambda: set(world.states().values()) == {"running"}, limit_s=120)
