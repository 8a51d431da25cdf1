"""CloudWatch's alarms of one fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.errors import aws_errors
from swarmkeeper.domain.model import PoolName
from swarmkeeper.ports import Alarms

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricAlarmTypeDef


class CloudWatchAlarms(Alarms):
    """Reads the alarms by the fleet's name prefix; whose they are is said by their dimensions."""

    def __init__(self, client: CloudWatchClient) -> None:
        self._client = client

    def in_alarm(self, fleet: str) -> frozenset[PoolName | None]:
        found: set[PoolName | None] = set()
        with aws_errors():
            pages = self._client.get_paginator("describe_alarms").paginate(
                AlarmNamePrefix=f"{fleet}-", StateValue="ALARM", AlarmTypes=["MetricAlarm"]
            )
            for page in pages:
                found.update(_pool(alarm) for alarm in page["MetricAlarms"] if _dimension(alarm, "Fleet") == fleet)
        return frozenset(found)


def _pool(alarm: MetricAlarmTypeDef) -> PoolName | None:
    name = _dimension(alarm, "Pool")
    return None if name is None else PoolName(name)


def _dimension(alarm: MetricAlarmTypeDef, name: str) -> str | None:
    return next((each["Value"] for each in alarm.get("Dimensions", []) if each["Name"] == name), None)
