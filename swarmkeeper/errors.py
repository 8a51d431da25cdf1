"""The error tree.

SwarmkeeperError
├── InvalidInput      the caller's input is wrong: refuse, say which field
├── Conflict          a lost race: re-read and try again, or tell the caller
│   ├── NameTaken     another container already answers to the name
│   ├── NodeChanged   the node's epoch, state or totals differ from what the decision assumed
│   └── Contention    the store could not order two writers; nothing is known of the true state
├── Unavailable       something outside did not answer: raise, so that the event source retries
│   ├── AgentNotReady the instance's SSM agent has not registered yet
│   └── ImageMissing  the engine lacks the image; it must be pulled on the node first
├── UnsafeAction      a fuse, quorum or budget forbids it: refuse and alarm
└── InvariantBroken   a bug: stop here

Adapters translate vendors' errors into these with `raise … from`; nobody else catches vendors' errors.
"No node fits" is a result, never an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarmkeeper.domain.model import Node


class SwarmkeeperError(Exception):
    """Base of every error that Swarmkeeper raises on purpose."""


class InvalidInput(SwarmkeeperError):
    """The caller's input is refused; `field` is the path of what is wrong, e.g. `HostConfig.Memory`."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class Conflict(SwarmkeeperError):
    """A lost race."""


class NameTaken(Conflict):
    """Another container already answers to this name."""


class NodeChanged(Conflict):
    """The node is no longer as the decision assumed; `actual` is its true record, None when it is gone."""

    def __init__(self, message: str, actual: Node | None) -> None:
        super().__init__(message)
        self.actual = actual


class Contention(Conflict):
    """Two writers met and the store ordered neither; re-read after a jittered pause."""


class Unavailable(SwarmkeeperError):
    """Something outside did not answer or is not there yet."""


class AgentNotReady(Unavailable):
    """The instance's Systems Manager agent has not registered yet."""


class ImageMissing(Unavailable):
    """The engine does not hold the image."""


class UnsafeAction(SwarmkeeperError):
    """A guard forbids the action."""


class InvariantBroken(SwarmkeeperError):
    """A state that must be impossible was met."""
