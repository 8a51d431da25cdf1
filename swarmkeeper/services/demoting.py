"""A manager that is to leave steps down first, through another manager, and never at the cost of the quorum."""

from __future__ import annotations

from dataclasses import dataclass

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node
from swarmkeeper.domain.quorum import why_not_go
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import StateStore, Swarm, SwarmNode
from swarmkeeper.services.managers import Managers, votes_in
from swarmkeeper.services.turns import Change, Turns


@dataclass(frozen=True, slots=True)
class SteppedDown:
    """How far a manager's stepping down is; `why` says what it waits for, "" when it has no vote any more."""

    why: str = ""
    soon: bool = False
    """Whether it is under way, so that it is worth looking again in seconds."""


class Demoter:
    """Demotes managers; every call may be repeated."""

    def __init__(self, *, store: StateStore, swarm: Swarm, managers: Managers) -> None:
        self._store = store
        self._swarm = swarm
        self._managers = managers
        self._turns = Turns(store=store)

    def step_down(self, node: Node) -> SteppedDown:
        """Take the manager's vote away unless the others would be no quorum without it."""
        if not self._managers.in_service(other_than=node):
            return self._as_the_last(node)
        try:
            return self._through_others(node)
        except Unavailable as error:
            return SteppedDown(f"can't be demoted yet: {error}")

    def _as_the_last(self, node: Node) -> SteppedDown:
        """The Swarm ends with its last manager, so that one waits until nobody is left, or another is there."""
        left = [each for each in self._store.nodes() if each.id != node.id and each.state is not NodeState.GONE]
        if not left:
            return SteppedDown()
        return SteppedDown(f"can't be demoted: it is the only manager, of {len(left)} other nodes")

    def _through_others(self, node: Node) -> SteppedDown:
        listed = self._listed(node)
        mine = _vote_of(node, listed)
        if mine is None:
            return SteppedDown()
        why = why_not_go(node.id, votes_in(listed)) or self._turns.take(node, Change.LEAVE)
        if why:
            return SteppedDown(f"can't be demoted yet: {why}")
        self._managers.ask(lambda manager: self._swarm.demote(manager, mine.id), other_than=node)
        if _vote_of(node, self._listed(node)) is None:
            return SteppedDown()
        return SteppedDown("is being demoted", soon=True)

    def _listed(self, node: Node) -> tuple[SwarmNode, ...]:
        return self._managers.ask(self._swarm.managers, other_than=node)


def _vote_of(node: Node, listed: tuple[SwarmNode, ...]) -> SwarmNode | None:
    """The node as a manager with a vote."""
    return next((each for each in listed if each.host_name == node.id and each.reachable is not None), None)
