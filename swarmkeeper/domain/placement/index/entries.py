"""A node's place in the index."""

from __future__ import annotations

from dataclasses import replace

from swarmkeeper.domain.model import Image, Node, NodeId, Occupant, Resources
from swarmkeeper.domain.placement.facts import NodeFacts

Generic = tuple[tuple[str, int], ...]


class NodeEntry:
    """A node as the index keeps it: facts of its record, running totals, and its containers.

    `bit` is 1 << position; positions follow the order of names, so that of several nodes in a mask the lowest
    bit is the lowest name. Totals are plain integers because they change twice with every decision. What the
    structures over all nodes have made of them is kept there, by position; but for `generic_free`, which is rare.
    """

    __slots__ = (
        "bit",
        "containers",
        "cpu_total",
        "cpu_used",
        "generic_free",
        "generic_total",
        "generic_used",
        "health",
        "host_name",
        "images",
        "memory_total",
        "memory_used",
        "name",
        "node",
        "node_id",
        "occupants",
        "position",
        "slots",
    )

    def __init__(self, node: Node, host_name: str = "") -> None:
        self.node_id: NodeId = node.id
        self.host_name = host_name
        self.name = host_name or node.name
        self.position = -1
        self.bit = 0
        self.images: tuple[Image, ...] = ()
        self.occupants: dict[str, Occupant] = {}
        self.generic_free: Generic = ()
        self.read(node)

    def read(self, node: Node) -> None:
        """Take facts and totals from the node's record."""
        self.node = node
        self.health = node.health
        self.slots = node.slots
        self.cpu_total = node.capacity.nano_cpus
        self.memory_total = node.capacity.memory_bytes
        self.generic_total = node.capacity.generic
        self.read_totals(node)

    def read_totals(self, node: Node) -> None:
        """Take what is reserved from the node's record."""
        self.cpu_used = node.reserved.nano_cpus
        self.memory_used = node.reserved.memory_bytes
        self.generic_used = node.reserved.generic
        self.containers = node.containers

    def facts(self) -> NodeFacts:
        """The node as filters read it one by one, with its totals as they are now."""
        reserved = Resources(self.cpu_used, self.memory_used, self.generic_used)
        node = replace(self.node, reserved=reserved, containers=self.containers)
        return NodeFacts(node, tuple(self.occupants.values()), self.images, self.host_name)
