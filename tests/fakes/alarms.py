"""Alarms that a test raises and clears."""

from __future__ import annotations

from swarmkeeper.domain.model import PoolName
from tests.fakes.faults import Fallible, can_fail


class FakeAlarms(Fallible):
    """`raised` holds the pools in ALARM; None stands for an alarm of the whole fleet."""

    def __init__(self, *raised: str | None) -> None:
        super().__init__()
        self.raised: set[PoolName | None] = {None if pool is None else PoolName(pool) for pool in raised}

    @can_fail
    def in_alarm(self, fleet: str) -> frozenset[PoolName | None]:
        return frozenset(self.raised)
