"""Filters: each says whether a node may hold a request, and why not.

`filters_of` has classic Swarm's order, after what it didn't know (roles, states) and before room, which classic
left to its strategies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import HostPort, NodeId, Occupant, Resources, Role
from swarmkeeper.domain.placement.dependencies import is_found
from swarmkeeper.domain.placement.expressions import Expression
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.images import image_texts
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.ports import PortClash, clash, clash_within_protocol
from swarmkeeper.domain.placement.reasons import Reason, Rejection
from swarmkeeper.domain.placement.wish import HOST_MODE, Wish


class NodeView(Protocol):
    """What strategies read of a node; a record has it, and so have `NodeFacts`."""

    @property
    def id(self) -> NodeId: ...
    @property
    def name(self) -> str: ...
    @property
    def role(self) -> Role: ...
    @property
    def state(self) -> NodeState: ...
    @property
    def health(self) -> int: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def capacity(self) -> Resources: ...
    @property
    def reserved(self) -> Resources: ...
    @property
    def containers(self) -> int: ...
    @property
    def created_at(self) -> float: ...
    @property
    def slots(self) -> int | None: ...


def is_worker(node: NodeFacts, wish: Wish) -> Rejection | None:
    """Reject managers: they run the Swarm's own store."""
    return None if node.role is Role.WORKER else Rejection(Reason.ROLE, f"is a {node.role}")


def is_ready(node: NodeFacts, wish: Wish) -> Rejection | None:
    """Reject a node that is joining, draining or leaving."""
    return None if node.state is NodeState.READY else Rejection(Reason.STATE, f"is {node.state}")


def is_not_avoided(node: NodeFacts, wish: Wish) -> Rejection | None:
    """Reject a node that the caller has tried already."""
    return Rejection(Reason.AVOIDED, "has just refused it") if node.id in wish.avoid else None


def is_healthy(node: NodeFacts, wish: Wish) -> Rejection | None:
    """Reject a node whose health indicator is 0 or below."""
    return None if node.health > 0 else Rejection(Reason.HEALTH, "is unhealthy")


def has_free_ports(node: NodeFacts, wish: Wish) -> Rejection | None:
    """Reject a node where a container, stopped ones and reservations included, holds a port that is wanted.

    In host network mode the exposed ports are compared instead, with other containers in that mode.
    """
    if wish.network_mode == HOST_MODE:
        return _free_exposed(node, wish.exposed)
    return _free_bindings(node, wish.ports, clash)


def has_free_ports_by_protocol(node: NodeFacts, wish: Wish) -> Rejection | None:
    """As `has_free_ports`, but ports of different protocols don't clash."""
    if wish.network_mode == HOST_MODE:
        return _free_exposed(node, wish.exposed)
    return _free_bindings(node, wish.ports, clash_within_protocol)


def _free_exposed(node: NodeFacts, exposed: Iterable[str]) -> Rejection | None:
    for port in exposed:
        for each in node.occupants:
            if each.network_mode == HOST_MODE and port in each.exposed:
                return Rejection(Reason.PORT, f"{called(each)} exposes {port} in host mode", port)
    return None


def _free_bindings(node: NodeFacts, ports: Iterable[HostPort], clashes: PortClash) -> Rejection | None:
    for wanted in ports:
        for each in node.occupants:
            if any(clashes(wanted, held) for held in each.ports):
                return Rejection(Reason.PORT, f"{called(each)} holds port {wanted.port}", str(wanted.port))
    return None


def has_free_slot(node: NodeFacts, wish: Wish) -> Rejection | None:
    """Reject a node with as many containers as it has slots; reserved ones count, no limit is no limit."""
    if node.slots is None or node.containers < node.slots:
        return None
    return Rejection(Reason.CONTAINERSLOTS, f"has {node.containers} containers for {node.slots} slots")


def has_dependencies(node: NodeFacts, wish: Wish) -> Rejection | None:
    """Reject a node that lacks a container which the request links to, or shares volumes or a network with."""
    for reference in wish.dependencies:
        if not is_found(reference, node.occupants, node.id, node.name):
            return Rejection(Reason.DEPENDENCY, f"has no container {reference!r}, or more than one", reference)
    return None


def meets_affinities(node: NodeFacts, wish: Wish) -> Rejection | None:
    """Reject a node whose containers or images an expression does not suit.

    The key `container` compares id and name of the containers that have a name, `image` the ids, tags and
    repositories of the images, any other key that label of every container, "" where it is missing.
    """
    for expression in wish.affinities:
        texts = tuple(_affinity_texts_of(node, expression.key))
        if not expression.matches(*texts):
            found = next((text for text in texts if expression.matcher(text)), None)
            because = "nothing there matches" if found is None else f"{found!r} is there"
            return Rejection(Reason.AFFINITY, f"{expression} does not hold: {because}", str(expression))
    return None


def _affinity_texts_of(node: NodeFacts, key: str) -> Iterable[str]:
    return image_texts(node.images) if key == "image" else affinity_texts(node.occupants, key)


def affinity_texts(occupants: Iterable[Occupant], key: str) -> Iterator[str]:
    """What an affinity of this key, which is not `image`, compares of a node's containers."""
    if key == "container":
        for each in occupants:
            if each.name:
                yield each.id
                yield each.name
    else:
        yield from (each.labels.get(key, "") for each in occupants)


def meets_constraints(node: NodeFacts, wish: Wish) -> Rejection | None:
    """Reject a node that an expression excludes.

    The key `node` compares id and name, any other key the label, which is "" where it is missing.
    """
    for expression in wish.constraints:
        texts = constraint_texts(node, expression)
        if not expression.matches(*texts):
            return Rejection(Reason.CONSTRAINT, f"{expression} does not hold for {texts[-1]!r}", str(expression))
    return None


def constraint_texts(node: NodeView, expression: Expression) -> tuple[str, ...]:
    """What the constraint compares on the node."""
    return (node.id, node.name) if expression.key == "node" else (node.labels.get(expression.key, ""),)


def is_whitelisted(node: NodeFacts, wish: Wish) -> Rejection | None:
    """Reject a node whose name stands not in every whitelist."""
    for expression in wish.whitelists:
        if not expression.matches(node.name):
            return Rejection(Reason.WHITELIST, f"{expression} does not name {node.name!r}", str(expression))
    return None


def has_free_resources(node: NodeFacts, wish: Wish) -> Rejection | None:
    """Reject a node whose unreserved CPU, memory or generic resources are below what the request reserves.

    Reservations count, not live usage; the fit is exact, as in the condition of the write that follows.
    """
    free = node.capacity - node.reserved
    if wish.reservation.fits_in(free):
        return None
    return Rejection(Reason.RESOURCES, f"wants {wish.reservation}, has {free} free", _lacking(wish.reservation, free))


def has_free_generics(node: NodeFacts, wish: Wish) -> Rejection | None:
    """Reject a node that lacks generic resources which the request names; CPU and memory are left to the strategy."""
    free = node.capacity - node.reserved
    room = dict(free.generic)
    lacking = [kind for kind, amount in wish.reservation.generic if amount > room.get(kind, 0)]
    if not lacking:
        return None
    return Rejection(Reason.RESOURCES, f"wants {wish.reservation}, has {free} free", " and ".join(lacking))


def _lacking(wanted: Resources, free: Resources) -> str:
    """The resources of which there is too little, such as `CPU and memory`."""
    amounts = [("CPU", wanted.nano_cpus, free.nano_cpus), ("memory", wanted.memory_bytes, free.memory_bytes)]
    room = dict(free.generic)
    amounts += [(kind, amount, room.get(kind, 0)) for kind, amount in wanted.generic]
    return " and ".join(kind for kind, wish, left in amounts if wish > left)


def called(occupant: Occupant) -> str:
    """What to call a container in an explanation."""
    return occupant.name or occupant.id[:12] or "a container without a name"


Filter = Callable[[NodeFacts, Wish], Rejection | None]


def filters_of(options: PlacementOptions) -> tuple[Filter, ...]:
    """All filters in the order in which they are asked."""
    return (
        is_worker,
        is_ready,
        is_not_avoided,
        is_healthy,
        has_free_ports_by_protocol if options.ports_by_protocol else has_free_ports,
        has_free_slot,
        has_dependencies,
        meets_affinities,
        meets_constraints,
        is_whitelisted,
        has_free_resources if options.exact else has_free_generics,
    )


def first_rejection(node: NodeFacts, wish: Wish, filters: Sequence[Filter]) -> Rejection | None:
    """Why the node can't hold the wish, by the first filter that refuses; None when it can."""
    for each in filters:
        rejection = each(node, wish)
        if rejection is not None:
            return rejection
    return None
