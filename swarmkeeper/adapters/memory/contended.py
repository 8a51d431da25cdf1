"""The table in memory as many concurrent callers meet the one in DynamoDB: it takes time, and writers collide."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from swarmkeeper.adapters.memory.operations import Kind, Operation
from swarmkeeper.adapters.memory.store import MemoryStateStore
from swarmkeeper.errors import Contention

R = TypeVar("R")

PATIENCE = 10
PAUSE_S = 0.04
"""As in the adapter of DynamoDB."""
TRANSACTION_COST = 2
"""Times the latency of a single read or write."""


class ContendedStore(MemoryStateStore):
    """A StateStore whose calls take `latency_s` each, transactions twice that.

    For the second half of its time a write holds its items. A transaction that finds one held ends in Contention,
    which tells nothing, as DynamoDB's TransactionConflict; a failed condition tells the true record. Writes that
    nobody's decision hangs on are tried again, as the adapter of DynamoDB does.
    """

    def __init__(
        self,
        *,
        latency_s: float,
        index_lag_s: float = 0.0,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(now=now, index_lag_s=index_lag_s)
        self.collisions = 0
        self._latency_s = latency_s
        self._pause = pause
        self._held: set[str] = set()
        self._guard = threading.Lock()

    def perform(self, operation: Operation, effect: Callable[[], R]) -> R:
        if operation.kind is Kind.READ:
            self._pause(self._latency_s)
            return super().perform(operation, effect)
        if operation.kind is Kind.TRANSACTION:
            return self._write(operation, effect)
        for turn in range(1, PATIENCE):
            try:
                return self._write(operation, effect)
            except Contention:
                self._pause(PAUSE_S * turn * random.random())  # noqa: S311  # only so that they don't meet again
        return self._write(operation, effect)

    def _write(self, operation: Operation, effect: Callable[[], R]) -> R:
        duration_s = self._latency_s * (1 if operation.kind is Kind.WRITE else TRANSACTION_COST)
        self._pause(duration_s / 2)
        with self._guard:
            if not self._held.isdisjoint(operation.items):
                self.collisions += 1
                raise Contention("another transaction holds an item")
            self._held |= operation.items
        try:
            self._pause(duration_s / 2)
            return super().perform(operation, effect)
        finally:
            with self._guard:
                self._held -= operation.items
