"""Filters: each says whether a node may hold a request, and why not.

`FILTERS` has classic Swarm's order, after what it didn't know (roles, states) and before room, which classic
left to its strategies. Port, dependency, affinity and whitelist filters take their places here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NodeId, Request, Resources, Role
from swarmkeeper.domain.placement.expressions import Expression, parse_all
from swarmkeeper.domain.placement.reasons import Reason, Rejection


class NodeView(Protocol):
    """What filters and strategies read of a node."""

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
    def slots(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """A request as filters read it, its expressions parsed."""

    reservation: Resources
    constraints: tuple[Expression, ...] = ()
    avoid: frozenset[NodeId] = frozenset()

    @property
    def is_soft(self) -> bool:
        """Whether a second pass could differ from the first."""
        return any(expression.soft for expression in self.constraints)

    def hard_only(self) -> Wish:
        """The wish of the second pass: all soft expressions dropped at once."""
        return replace(self, constraints=tuple(each for each in self.constraints if not each.soft))


def wish_of(request: Request, avoid: frozenset[NodeId] = frozenset()) -> Wish:
    """Parse a request. Raises InvalidExpression for a bad expression, soft or not."""
    return Wish(request.reservation, parse_all(request.rules.constraints), avoid)


def is_worker(node: NodeView, wish: Wish) -> Rejection | None:
    """Reject managers: they run the Swarm's own store."""
    return None if node.role is Role.WORKER else Rejection(Reason.ROLE, f"is a {node.role}")


def is_ready(node: NodeView, wish: Wish) -> Rejection | None:
    """Reject a node that is joining, draining or leaving."""
    return None if node.state is NodeState.READY else Rejection(Reason.STATE, f"is {node.state}")


def is_not_avoided(node: NodeView, wish: Wish) -> Rejection | None:
    """Reject a node that the caller has tried already."""
    return Rejection(Reason.AVOIDED, "has just refused it") if node.id in wish.avoid else None


def is_healthy(node: NodeView, wish: Wish) -> Rejection | None:
    """Reject a node whose health indicator is 0 or below."""
    return None if node.health > 0 else Rejection(Reason.HEALTH, "is unhealthy")


def has_free_slot(node: NodeView, wish: Wish) -> Rejection | None:
    """Reject a node with as many containers as it has slots; reserved ones count, no limit is no limit."""
    if node.slots is None or node.containers < node.slots:
        return None
    return Rejection(Reason.CONTAINERSLOTS, f"has {node.containers} containers for {node.slots} slots")


def meets_constraints(node: NodeView, wish: Wish) -> Rejection | None:
    """Reject a node that an expression excludes.

    The key `node` compares id and name, any other key the label, which is "" where it is missing.
    """
    for expression in wish.constraints:
        texts = (node.id, node.name) if expression.key == "node" else (node.labels.get(expression.key, ""),)
        if not expression.matches(*texts):
            return Rejection(Reason.CONSTRAINT, f"{expression} does not hold for {texts[0]!r}")
    return None


def has_free_resources(node: NodeView, wish: Wish) -> Rejection | None:
    """Reject a node whose unreserved CPU or memory is below what the request reserves.

    Reservations count, not live usage; the fit is exact, as in the condition of the write that follows.
    """
    free = node.capacity - node.reserved
    if wish.reservation.fits_in(free):
        return None
    return Rejection(Reason.RESOURCES, f"wants {wish.reservation}, has {free} free")


Filter = Callable[[NodeView, Wish], Rejection | None]

FILTERS: tuple[Filter, ...] = (
    is_worker,
    is_ready,
    is_not_avoided,
    is_healthy,
    has_free_slot,
    meets_constraints,
    has_free_resources,
)


def first_rejection(node: NodeView, wish: Wish, filters: Sequence[Filter] = FILTERS) -> Rejection | None:
    """Why the node can't hold the wish, by the first filter that refuses; None when it can."""
    for each in filters:
        rejection = each(node, wish)
        if rejection is not None:
            return rejection
    return None
