"""The error tree.

SwarmkeeperError
├── InvalidInput      the caller's input is wrong: refuse, say which field
├── Conflict          a lost race: re-read and try again, or tell the caller
│   ├── NameTaken     another container already answers to the name
│   ├── VolumeTaken   another container writes the shared volume, or is about to
│   ├── TokenReused   the idempotency token was given before, with another request
│   ├── NodeChanged   the node's epoch, state or totals differ from what the decision assumed
│   └── Contention    the store could not order two writers; nothing is known of the true state
├── Unavailable       something outside did not answer: raise, so that the event source retries
│   ├── AgentNotReady the instance's SSM agent has not registered yet
│   ├── Unreachable   no connection could be made: what was asked has not begun
│   ├── Declined      it answered that it can't do it now: what was asked was not done
│   │   └── NoLeader  the Swarm's managers have no leader: nothing that needs one can be done
│   ├── NoManager     no manager of the Swarm answers
│   └── ImageMissing  the engine lacks the image; it must be pulled on the node first
├── QuotaExceeded     the tenant has used up what it may: refuse, say what; it may ask again when it has freed some
├── UnsafeAction      a fuse, quorum or budget forbids it: refuse and alarm
└── InvariantBroken   a bug: stop here

Adapters translate vendors' errors into these with `raise … from`; nobody else catches vendors' errors.
"No node fits" is a result, never an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarmkeeper.domain.model import Node
    from swarmkeeper.domain.quotas import Excess


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


class VolumeTaken(Conflict):
    """Another container writes the shared volume, or is about to."""


class TokenReused(Conflict):
    """The idempotency token was given before, with another request."""


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


class Unreachable(Unavailable):
    """No connection could be made, so what was asked has not begun."""


class Declined(Unavailable):
    """It answered, but can't do what was asked now: nothing was done, or what was done doesn't run."""


class NoLeader(Declined):
    """A manager answered that the Swarm has no leader: too few managers are reachable, or one is being elected."""


class NoManager(Unavailable):
    """There is no manager in service, or none of them answers."""


class ImageMissing(Unavailable):
    """The engine does not hold the image."""


class QuotaExceeded(SwarmkeeperError):
    """The tenant's accepted containers would be more than its quota; `resource` is the field of it that is used up."""

    def __init__(self, tenant: str, excess: Excess) -> None:
        super().__init__(f"tenant {tenant or '(none)'} {excess}")
        self.tenant = tenant
        self.resource = excess.resource
        self.excess = excess


class UnsafeAction(SwarmkeeperError):
    """A guard forbids the action."""


class InvariantBroken(SwarmkeeperError):
    """A state that must be impossible was met."""
