"""The fleet's table in memory: the same conditions as the one in DynamoDB, under one lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from swarmkeeper.adapters.memory.containers import ContainerTable
from swarmkeeper.adapters.memory.operations import Kind, Operation, operation
from swarmkeeper.adapters.memory.tables import ChangeIndex, Tables
from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.errors import Conflict

R = TypeVar("R")


class MemoryStateStore(ContainerTable):
    """A StateStore for one process. Its indexes show a write `index_lag_s` after it happened."""

    def __init__(self, *, now: Callable[[], float] = time.time, index_lag_s: float = 0.0) -> None:
        self.stored = Tables()
        self.changes = ChangeIndex()
        self.now = now
        self.index_lag_s = index_lag_s
        self.writers_skew_s = 0.0
        """How far the clocks of those who write are ahead of `now`."""
        self._lock = threading.RLock()

    def perform(self, operation: Operation, effect: Callable[[], R]) -> R:
        with self._lock:
            return effect()

    @operation(Kind.READ)
    def fact(self, name: str) -> str | None:
        return self.stored.facts.get(name)

    @operation(Kind.WRITE)
    def set_fact_once(self, name: str, value: str) -> str:
        return self.stored.facts.setdefault(name, value)

    @operation(Kind.WRITE)
    def replace_fact(self, name: str, *, expected: str | None, value: str | None) -> None:
        if self.stored.facts.get(name) != expected:
            raise Conflict(f"the fact {name} is not as expected")
        if value is None:
            self.stored.facts.pop(name, None)
        else:
            self.stored.facts[name] = value

    @operation(Kind.WRITE)
    def claim(self, token: str, meaning: str, *, now: float, expires_at: float) -> str:
        known, forgotten_at = self.stored.claims.get(token, ("", 0.0))
        if forgotten_at > now:
            return known
        self.stored.claims[token] = (meaning, expires_at)
        return meaning

    @operation(Kind.READ)
    def scaling(self, pool: PoolName) -> ScalingState:
        return self.stored.scaling.get(pool, ScalingState(pool))

    @operation(Kind.WRITE)
    def save_scaling(self, state: ScalingState) -> ScalingState:
        if self.stored.scaling.get(state.pool, ScalingState(state.pool)).version != state.version:
            raise Conflict(f"the scaling state of {state.pool} has changed")
        saved = replace(state, version=state.version + 1)
        self.stored.scaling[state.pool] = saved
        return saved
