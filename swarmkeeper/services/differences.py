"""The differences that a tick can name, as one table: what each is called, how it is found, who looks again.

The safest come first: looks that only ask a node's owner, then retries, which may start or remove a container.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, Node, NodeId
from swarmkeeper.ports import Event
from swarmkeeper.services.health import HEALTHY

WAITING = frozenset({"Pending:Wait", "Terminating:Wait"})


class Difference(StrEnum):
    """What a tick may find; the word stands in its log."""

    NODE_ON_ITS_WAY = "node-on-its-way"
    NODE_IN_DOUBT = "node-in-doubt"
    NODE_WITHOUT_INSTANCE = "node-without-instance"
    INSTANCE_WITHOUT_NODE = "instance-without-node"
    STUCK_HOOK = "stuck-hook"
    STUCK_MOVE = "stuck-move"
    LEAKED_RESERVATION = "leaked-reservation"
    STUCK_REMOVAL = "stuck-removal"


@dataclass(frozen=True, slots=True)
class Sight:
    """What is compared: the table's nodes and unsettled containers, and the groups' instances with their lifecycle."""

    nodes: Sequence[Node]
    unsettled: Sequence[Container]
    instances: Mapping[NodeId, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """A difference, the event that has its owner look, and where it is: ids of nodes or names of containers."""

    difference: Difference
    event: Event
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
    Rule(Difference.LEAKED_RESERVATION, Event.PENDING_RETRY, _reserved),
    Rule(Difference.STUCK_REMOVAL, Event.PENDING_RETRY, _being_removed),
)


def differences(sight: Sight) -> dict[Difference, tuple[str, ...]]:
    """What differs, by its name; what is not there is left out."""
    found = {rule.difference: tuple(sorted(rule.find(sight))) for rule in RULES}
    return {difference: where for difference, where in found.items() if where}


def asked_by(event: Event, found: Mapping[Difference, Sequence[str]]) -> list[str]:
    """Whom the event is about, each once."""
    return sorted({each for rule in RULES if rule.event is event for each in found.get(rule.difference, ())})
