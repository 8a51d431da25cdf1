"""Lifecycle hooks and the actions that wait on them. Pure: time is a parameter."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

MAX_GLOBAL_TIMEOUT_S = 48 * 3600.0
HEARTBEATS = 100
"""A wait ends for good after this many heartbeat time-outs, or after 48 hours: whichever is sooner."""


class Transition(StrEnum):
    """What a hook waits for."""

    LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
    TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


class Result(StrEnum):
    """How an action ends."""

    CONTINUE = "CONTINUE"
    ABANDON = "ABANDON"


@dataclass(frozen=True, slots=True)
class Hook:
    """A lifecycle hook as it was when an action of it began."""

    name: str
    group: str
    transition: Transition
    heartbeat_s: float
    default_result: Result
    metadata: str | None = None

    @property
    def global_timeout_s(self) -> float:
        """The longest that an action can be kept alive by heartbeats."""
        return min(MAX_GLOBAL_TIMEOUT_S, HEARTBEATS * self.heartbeat_s)


@dataclass(frozen=True, slots=True)
class Action:
    """An instance that waits on a hook."""

    token: str
    instance_id: str
    hook: Hook
    started: float
    deadline: float

    def kept_alive(self, now: float) -> Action:
        """The action after a heartbeat at `now`: a full time-out more, within the global one."""
        limit = self.started + self.hook.global_timeout_s
        return replace(self, deadline=min(now + self.hook.heartbeat_s, limit))


class Actions:
    """The open lifecycle actions of all groups."""

    def __init__(self) -> None:
        self._open: dict[str, Action] = {}

    def begin(self, hook: Hook, instance_id: str, now: float) -> Action:
        """Open an action; its heartbeat runs from `now`."""
        action = Action(str(uuid.uuid4()), instance_id, hook, now, now + hook.heartbeat_s)
        self._open[action.token] = action
        return action

    def find(self, group: str, hook: str, instance_id: str = "", token: str = "") -> Action | None:
        """The open action that a call names by instance, by token, or by both; None when there is none."""
        for action in self._open.values():
            named = instance_id or token
            agrees = action.hook.group == group and action.hook.name == hook
            same = (not instance_id or action.instance_id == instance_id) and (not token or action.token == token)
            if named and agrees and same:
                return action
        return None

    def keep_alive(self, action: Action, now: float) -> None:
        """Record a heartbeat."""
        self._open[action.token] = action.kept_alive(now)

    def end(self, action: Action) -> None:
        """Close an action; harmless when it is closed."""
        self._open.pop(action.token, None)

    def end_all(self, instance_id: str) -> None:
        """Close every action of an instance."""
        for action in self.of(instance_id):
            self.end(action)

    def of(self, instance_id: str) -> tuple[Action, ...]:
        """The open actions of an instance."""
        return tuple(action for action in self._open.values() if action.instance_id == instance_id)

    def on(self, group: str, hook: str) -> tuple[Action, ...]:
        """The open actions of a hook."""
        return tuple(a for a in self._open.values() if (a.hook.group, a.hook.name) == (group, hook))

    def expired(self, now: float) -> tuple[Action, ...]:
        """Actions whose heartbeat has run out."""
        return tuple(action for action in self._open.values() if action.deadline <= now)

    def deadlines(self) -> Iterator[float]:
        """When each open action runs out."""
        return (action.deadline for action in self._open.values())
