"""The decisions' history in memory."""

from __future__ import annotations

from threading import Lock

from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.decision import ScalingDecision
from swarmkeeper.domain.scaling.history import StoredDecision, is_decision_id, moment, stored
from swarmkeeper.errors import InvalidInput


class MemoryDecisions:
    """A DecisionLog for one process; it forgets nothing."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._stored: dict[str, StoredDecision] = {}

    def record(self, decision: ScalingDecision, *, at: float) -> None:
        kept = stored(decision.pool, decision.to_log(), at=at)
        with self._lock:
            self._stored[kept.id] = kept

    def decisions(
        self, pool: PoolName | None, *, since: float, limit: int, after: str = ""
    ) -> tuple[tuple[StoredDecision, ...], str]:
        if after and not is_decision_id(after):
            raise InvalidInput("next", "is not what a page before returned")
        with self._lock:
            newest_first = sorted(self._stored.values(), key=lambda each: each.id, reverse=True)
        first = moment(since)
        found = [each for each in newest_first if each.id >= first and (not after or each.id < after)]
        wanted = [each for each in found if pool in (None, each.pool)]
        page = tuple(wanted[:limit])
        return page, page[-1].id if len(wanted) > limit else ""

    def decision(self, decision_id: str) -> StoredDecision | None:
        with self._lock:
            return self._stored.get(decision_id)
