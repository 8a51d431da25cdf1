"""A change of an alarm's state, by each way on which CloudWatch tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from swarmkeeper.edge.checked import checked

Dimensions = tuple[tuple[str, str], ...]


class AlarmState(StrEnum):
    """CloudWatch's states."""

    ALARM = "ALARM"
    OK = "OK"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """An alarm's new state. `dimensions` are those of all metrics that it watches: none for a composite alarm."""

    name: str
    arn: str
    state: AlarmState
    at: str
    dimensions: Dimensions = ()


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _Dimension(_Part):
    """As messages to topics write one."""

    name: str = Field(validation_alias=AliasChoices("name", "Name"))
    value: str = Field(validation_alias=AliasChoices("value", "Value"))


class _SnsMetric(_Part):
    dimensions: tuple[_Dimension, ...] = Field(default=(), alias="Dimensions")


class _SnsStat(_Part):
    metric: _SnsMetric = Field(alias="Metric")


class _SnsQuery(_Part):
    """One line of metric maths: a metric, or an expression over others."""

    stat: _SnsStat | None = Field(default=None, alias="MetricStat")


class _SnsTrigger(_Part):
    """What a metric alarm watches: one metric's dimensions, or the lines of metric maths."""

    dimensions: tuple[_Dimension, ...] = Field(default=(), alias="Dimensions")
    queries: tuple[_SnsQuery, ...] = Field(default=(), alias="Metrics")

    def all_dimensions(self) -> Iterator[tuple[str, str]]:
        inside = (each for query in self.queries if query.stat for each in query.stat.metric.dimensions)
        yield from ((each.name, each.value) for each in (*self.dimensions, *inside))


class _SnsAlarm(_Part):
    """CloudWatch's message to a topic; a composite alarm's has a rule in the place of a trigger."""

    name: str = Field(alias="AlarmName")
    arn: str = Field(default="", alias="AlarmArn")
    state: AlarmState = Field(alias="NewStateValue")
    at: str = Field(default="", alias="StateChangeTime")
    trigger: _SnsTrigger | None = Field(default=None, alias="Trigger")


class _Camel(_Part):
    """The words of actions and events begin in lower case."""

    model_config = ConfigDict(alias_generator=to_camel)


class _Metric(_Camel):
    dimensions: dict[str, str] = {}


class _Stat(_Camel):
    metric: _Metric


class _Query(_Camel):
    metric_stat: _Stat | None = None


class _Configuration(_Camel):
    """A metric alarm has metrics, a composite one a rule."""

    metrics: tuple[_Query, ...] = ()


class _State(_Camel):
    value: AlarmState
    timestamp: str = ""


class _Data(_Camel):
    """What actions and events tell alike."""

    alarm_name: str
    state: _State
    configuration: _Configuration = _Configuration()

    def change(self, arn: str) -> AlarmChange:
        stats = [query.metric_stat for query in self.configuration.metrics if query.metric_stat]
        dimensions = tuple(each for stat in stats for each in stat.metric.dimensions.items())
        return AlarmChange(self.alarm_name, arn, self.state.value, self.state.timestamp, dimensions)


class _Action(_Camel):
    """What CloudWatch hands to a function that is an alarm's own action."""

    alarm_arn: str
    alarm_data: _Data


def change_in_message(text: str) -> AlarmChange | None:
    """What a topic's message tells; None for one that is no alarm's, such as a test notification."""
    try:
        alarm = _SnsAlarm.model_validate_json(text)
    except ValidationError:
        return None
    dimensions = tuple(alarm.trigger.all_dimensions()) if alarm.trigger else ()
    return AlarmChange(alarm.name, alarm.arn, alarm.state, alarm.at, dimensions)


def is_alarm_action(event: Mapping[str, Any]) -> bool:
    """Whether an alarm has invoked the function itself."""
    return event.get("source") == "aws.cloudwatch" and "alarmData" in event


def change_in_action(event: Mapping[str, Any]) -> AlarmChange:
    """What an alarm tells a function that it invokes. Raises InvalidInput that names the field."""
    action = checked(_Action, event, "event")
    return action.alarm_data.change(action.alarm_arn)


def change_in_detail(detail: Mapping[str, Any], resources: tuple[str, ...]) -> AlarmChange:
    """What `CloudWatch Alarm State Change` on the bus tells of the alarm in `resources`. Raises InvalidInput."""
    return checked(_Data, detail, "detail").change(next(iter(resources), ""))
