"""The differences that a tick can name, as one table: what each is called, how it is found, who looks again.

The safest come first: looks that only ask a node's owner, then retries, which may start or remove a container.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, Node, NodeId
from swarmkeeper.ports import Event
from swarmkeeper.services.health import HEALTHY

BUDGET = 250
"""Of each difference so many places are looked at again by one tick, others by the next ones."""
LONG_S = 600.0
"""What waits and was asked for longer ago than this waits for more than a node's launch, or waits again."""
WAITING = frozenset({"Pending:Wait", "Terminating:Wait"})


class Difference(StrEnum):
    """What a tick may find; the word stands in its log."""

    NODE_ON_ITS_WAY = "node-on-its-way"
    NODE_IN_DOUBT = "node-in-doubt"
    NODE_WITHOUT_INSTANCE = "node-without-instance"
    INSTANCE_WITHOUT_NODE = "instance-without-node"
    STUCK_HOOK = "stuck-hook"
    STUCK_MOVE = "stuck-move"
    NODE_DOWN = "node-down"
    GHOST_NODE = "ghost-node"
    LEAKED_RESERVATION = "leaked-reservation"
    STUCK_REMOVAL = "stuck-removal"
    STUCK_PENDING = "stuck-pending"


@dataclass(frozen=True, slots=True)
class Sight:
    """What is compared: the table's nodes, its unsettled and its pending containers, the groups' instances with their
    lifecycle, and the host names that the Swarm lists as down."""

    now: float
    nodes: Sequence[Node]
    unsettled: Sequence[Container]
    pending: Sequence[Container]
    instances: Mapping[NodeId, str]
    down: AbstractSet[NodeId] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """A difference, the event that has its owner look, and where it is: ids of nodes or names of containers.

    Without an event it is only named, since all that waits is tried again anyway.
    """

    difference: Difference
    event: Event | None
    find: Callable[[Sight], set[str]]


def _on_its_way(sight: Sight) -> set[str]:
    return {node.id for node in sight.nodes if node.state is not NodeState.READY or node.hook is not None}


def _in_doubt(sight: Sight) -> set[str]:
    return {node.id for node in sight.nodes if node.suspected_at is not None or node.health < HEALTHY}


def _without_instance(sight: Sight) -> set[str]:
    return {node.id for node in sight.nodes if node.id not in sight.instances}


def _without_node(sight: Sight) -> set[str]:
    known = {node.id for node in sight.nodes}
    return {each for each, lifecycle in sight.instances.items() if lifecycle == "InService" and each not in known}


def _in_a_hook(sight: Sight) -> set[str]:
    return {node_id for node_id, lifecycle in sight.instances.items() if lifecycle in WAITING}


def _being_moved(sight: Sight) -> set[str]:
    return {each.node for each in sight.unsettled if each.moving_to is not None and each.node is not None}


def _down(sight: Sight) -> set[str]:
    return {node.id for node in sight.nodes if node.id in sight.down}


def _ghosts(sight: Sight) -> set[str]:
    known = {node.id for node in sight.nodes}
    return {each for each in sight.down if each not in known}


def _waiting_long(sight: Sight) -> set[str]:
    return {each.name for each in sight.pending if each.requested_at < sight.now - LONG_S}


def _reserved(sight: Sight) -> set[str]:
    return {each.name for each in sight.unsettled if each.state is ContainerState.RESERVED}


def _being_removed(sight: Sight) -> set[str]:
    return {each.name for each in sight.unsettled if each.state is ContainerState.REMOVING}


RULES = (
    Rule(Difference.NODE_ON_ITS_WAY, Event.MEMBERSHIP_CHECK, _on_its_way),
    Rule(Difference.NODE_IN_DOUBT, Event.MEMBERSHIP_CHECK, _in_doubt),
    Rule(Difference.STUCK_HOOK, Event.MEMBERSHIP_CHECK, _in_a_hook),
    Rule(Difference.NODE_WITHOUT_INSTANCE, Event.MEMBERSHIP_CHECK, _without_instance),
    Rule(Difference.INSTANCE_WITHOUT_NODE, Event.MEMBERSHIP_CHECK, _without_node),
    Rule(Difference.STUCK_MOVE, Event.MEMBERSHIP_CHECK, _being_moved),
    Rule(Difference.NODE_DOWN, Event.MEMBERSHIP_CHECK, _down),
    Rule(Difference.GHOST_NODE, Event.MEMBERSHIP_CHECK, _ghosts),
    Rule(Difference.LEAKED_RESERVATION, Event.PENDING_RETRY, _reserved),
    Rule(Difference.STUCK_REMOVAL, Event.PENDING_RETRY, _being_removed),
    Rule(Difference.STUCK_PENDING, None, _waiting_long),
)


def differences(sight: Sight) -> dict[Difference, tuple[str, ...]]:
    """What differs, by its name; what is not there is left out."""
    found = {rule.difference: tuple(sorted(rule.find(sight))) for rule in RULES}
    return {difference: where for difference, where in found.items() if where}


def asked_by(event: Event, found: Mapping[Difference, Sequence[str]], *, turn: int = 0) -> list[str]:
    """Whom the event is about, each once, in the table's order.

    Of what a difference has beyond the budget each turn takes another part.
    """
    asked: dict[str, None] = {}
    for rule in RULES:
        if rule.event is event:
            asked |= dict.fromkeys(_part(found.get(rule.difference, ()), turn))
    return list(asked)


def _part(where: Sequence[str], turn: int) -> Sequence[str]:
    if len(where) <= BUDGET:
        return where
    start = turn * BUDGET % len(where)
    return [*where[start:], *where[:start]][:BUDGET]
