"""Tells the scaler that something waits for a node, ahead of metrics and alarms; seldom, however much waits."""

from __future__ import annotations

from random import Random

from swarmkeeper.ports import Clock, Event, Events, StateStore

NEED_DELAY_S = 3
"""How long a told need waits before it is decided on, so that a burst is seen whole."""
NEED_WINDOW_S = NEED_DELAY_S
"""At most one need is told in each window of this many seconds.

No longer than the delay: what comes later in the same window is then stored before the decision looks.
"""
TOKEN = "capacity needed"  # noqa: S105  # a name, no secret; no caller's token has a space


class CapacityNeeds:
    """One of a fleet's many placement processes. The claim in the table lets one of them tell a window's need.

    A need that isn't told, because a process died or the bus didn't answer, isn't lost: the request waits in the
    table, the next one in another window tells again, and the schedule asks while the alarm stands.
    """

    def __init__(self, *, fleet_name: str, store: StateStore, events: Events, clock: Clock, random: Random) -> None:
        self._fleet_name = fleet_name
        self._store = store
        self._events = events
        self._clock = clock
        self._myself = f"{random.getrandbits(64):016x}"
        self._told = -1

    def tell(self) -> bool:
        """Publish the need unless this window's is told; whether it was published by this call.

        Raises Unavailable, and Contention when two processes met: both harmless to the request.
        """
        now = self._clock.now()
        window = int(now // NEED_WINDOW_S)
        if window <= self._told:
            return False
        ends = float((window + 1) * NEED_WINDOW_S)
        is_mine = self._store.claim(TOKEN, self._myself, now=now, expires_at=ends) == self._myself
        if is_mine:
            self._events.publish(Event.CAPACITY_NEEDED, [{"fleet": self._fleet_name}])
        self._told = window
        return is_mine
