"""What measures the nodes, and where that goes; docs/monitoring.md explains it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from swarmkeeper.edge.settings_fields import ImageReference, Strict, broken
from swarmkeeper.edge.settings_rules import Problem

InfluxUrl = Annotated[str, Field(pattern=r"^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$", max_length=200)]


class MonitoringSettings(Strict):
    """What nodes run beside the router to be measured; nothing unless an image is given here or to the deployment."""

    cadvisor: ImageReference | None = None
    """cAdvisor, which measures containers; by digest."""
    telegraf: ImageReference | None = None
    """Telegraf, which measures the machine, reads cAdvisor, and tells CloudWatch and InfluxDB; by digest."""
    influxdb: InfluxUrl | None = None
    """Where nodes reach InfluxDB; without it Telegraf tells CloudWatch only."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        broken(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        if self.telegraf is not None and self.cadvisor is None:
            yield Problem(("telegraf",), "reads cAdvisor: give its image too")
        if self.influxdb is not None and self.telegraf is None:
            yield Problem(("influxdb",), "is filled by Telegraf: give its image too")
