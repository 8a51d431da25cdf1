"""Faults of the event bus: for a while events are lost, come twice, or late and out of order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from local.aws.disturbance import Disturbance
from local.chaos.faults.kinds import Injected, Injector
from local.chaos.healing import WorkDone
from local.chaos.plan import Kind, Planned
from local.chaos.snapshot import Snapshot
from local.chaos.stage import Stage

LATE_S = (0.1, 10.0)
LOST_SHARE = 0.5


def _disturbed(worse: Disturbance, *fields: str) -> Injector:
    """While several last each keeps to its own fields."""

    def inject(stage: Stage, planned: Planned, seen: Snapshot, hit: Collection[str]) -> Injected:
        dice = stage.cloud.bus.dice

        def become(disturbance: Disturbance) -> None:
            dice.disturbance = replace(dice.disturbance, **{name: getattr(disturbance, name) for name in fields})

        return Injected(
            target="the event bus",
            begin=lambda: become(worse),
            end=lambda: become(Disturbance()),
            healing=WorkDone,
            lasts_s=planned.lasts_s,
        )

    return inject


INJECTORS: Mapping[Kind, Injector] = {
    Kind.EVENTS_LOST: _disturbed(Disturbance(lost_share=LOST_SHARE), "lost_share"),
    Kind.EVENTS_DOUBLED: _disturbed(Disturbance(duplicate_share=1.0), "duplicate_share"),
    Kind.EVENTS_LATE: _disturbed(Disturbance(lag_s=LATE_S), "lag_s"),
}
