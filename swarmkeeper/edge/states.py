"""Containers' states in callers' words: what is reserved and not yet running is being created."""

from __future__ import annotations

from enum import StrEnum

from swarmkeeper.domain.model import ContainerState


class State(StrEnum):
    """Where a container stands, as the interface tells it."""

    PENDING = "pending"
    CREATING = "creating"
    """A node is found; its image is pulled, or its engine makes it."""
    RUNNING = "running"
    REMOVING = "removing"

    @classmethod
    def of(cls, state: ContainerState) -> State:
        """The caller's word for a stored state."""
        return cls.CREATING if state is ContainerState.RESERVED else cls(state.value)

    @property
    def stored(self) -> ContainerState:
        """The stored state behind the caller's word."""
        return ContainerState.RESERVED if self is State.CREATING else ContainerState(self.value)
