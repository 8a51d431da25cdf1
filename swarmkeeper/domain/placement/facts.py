"""A node with what stands on it, as filters and strategies read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Image, Node, NodeId, Occupant, Resources, Role


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A node's record with its containers and images.

    The totals (`reserved`, `containers`) are the record's: they may include reservations whose containers are not
    among `occupants` yet. `host_name` is given where it is not the node's id, as in clusters that are read from
    files.
    """

    node: Node
    occupants: tuple[Occupant, ...] = ()
    images: tuple[Image, ...] = ()
    host_name: str = ""

    @property
    def id(self) -> NodeId:
        return self.node.id

    @property
    def name(self) -> str:
        """What `node==` expressions, whitelists and ties compare."""
        return self.host_name or self.node.name

    @property
    def role(self) -> Role:
        return self.node.role

    @property
    def state(self) -> NodeState:
        return self.node.state

    @property
    def health(self) -> int:
        return self.node.health

    @property
    def labels(self) -> Mapping[str, str]:
        return self.node.labels

    @property
    def capacity(self) -> Resources:
        return self.node.capacity

    @property
    def reserved(self) -> Resources:
        return self.node.reserved

    @property
    def containers(self) -> int:
        return self.node.containers

    @property
    def created_at(self) -> float:
        return self.node.created_at

    @property
    def slots(self) -> int | None:
        return self.node.slots

    def holding(self, occupant: Occupant) -> NodeFacts:
        """The node as it would be with one more container."""
        return replace(self, node=self.node.holding(occupant.reservation), occupants=(*self.occupants, occupant))

    def without(self, name: str) -> NodeFacts:
        """The node as it would be without the container of this name; the same where it holds none."""
        going = [each for each in self.occupants if each.name == name]
        node = self.node
        for each in going:
            node = replace(node, reserved=node.reserved - each.reservation, containers=node.containers - 1)
        staying = tuple(each for each in self.occupants if each.name != name)
        return replace(self, node=node, occupants=staying) if going else self
