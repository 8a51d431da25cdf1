"""CloudWatch's alarms of one fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from swarmkeeper.adapters.aws.errors import aws_errors, code_of
from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.alarm_owner import NOBODY, AlarmOwner, owner_by_dimensions, owner_by_tags
from swarmkeeper.ports import Alarms

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricAlarmTypeDef

REMEMBERED_S = 300.0
"""How long an alarm's tags are taken for what they were."""
GONE = frozenset({"ResourceNotFound", "ResourceNotFoundException"})


class CloudWatchAlarms(Alarms):
    """Reads the alarms that act on one of `actions`: beginnings of ARNs, those of the scaler's topic and function."""

    def __init__(
        self, client: CloudWatchClient, actions: Sequence[str], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._actions = tuple(actions)
        self._now = now
        self._owners: dict[str, tuple[float, AlarmOwner]] = {}

    def in_alarm(self, fleet: str) -> frozenset[PoolName | None]:
        owners = [
            owner_by_dimensions(dimensions, fleet) or self.owner(arn)
            for action in self._actions
            for arn, dimensions in self._alarming(action)
        ]
        return frozenset(owner.pool for owner in owners if owner.fleet == fleet)

    def owner(self, alarm_arn: str) -> AlarmOwner:
        until, owner = self._owners.get(alarm_arn, (0.0, NOBODY))
        if self._now() >= until:
            owner = self._read_owner(alarm_arn)
            self._owners[alarm_arn] = (self._now() + REMEMBERED_S, owner)
        return owner

    def _alarming(self, action: str) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
        """The alarms in ALARM that have the action, by ARN, with their metrics' dimensions."""
        with aws_errors():
            pages = self._client.get_paginator("describe_alarms").paginate(
                StateValue="ALARM", ActionPrefix=action, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
            for page in pages:
                yield from ((each["AlarmArn"], tuple(_dimensions(each))) for each in page.get("MetricAlarms", []))
                yield from ((each["AlarmArn"], ()) for each in page.get("CompositeAlarms", []))

    def _read_owner(self, alarm_arn: str) -> AlarmOwner:
        with aws_errors():
            try:
                tags = self._client.list_tags_for_resource(ResourceARN=alarm_arn)["Tags"]
            except ClientError as error:
                if code_of(error) in GONE:
                    return NOBODY
                raise
        return owner_by_tags({tag["Key"]: tag["Value"] for tag in tags})


def _dimensions(alarm: MetricAlarmTypeDef) -> Iterator[tuple[str, str]]:
    """Those of its one metric, or of all metrics of its metric maths."""
    yield from _pairs(alarm.get("Dimensions", []))
    for query in alarm.get("Metrics", []):
        if "MetricStat" in query:
            yield from _pairs(query["MetricStat"]["Metric"].get("Dimensions", []))


def _pairs(dimensions: Iterable[DimensionTypeDef]) -> Iterator[tuple[str, str]]:
    return ((each["Name"], each["Value"]) for each in dimensions)
