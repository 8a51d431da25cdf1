"""Routers of nodes, and what else a node's engine keeps on networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from swarmkeeper.domain.model import Node, NodeId
from swarmkeeper.errors import Unavailable
from tests.fakes.faults import Fallible, can_fail


@dataclass(slots=True)
class FakeRouters(Fallible):
    """Every node has a router on the fleet's network, unless `on` says None of it.

    `while_left` is called while a router is taken off a network: others act just then.
    """

    on: dict[NodeId, frozenset[str] | None] = field(default_factory=dict)
    stopped: dict[NodeId, frozenset[str]] = field(default_factory=dict)
    """Networks of containers that stand still."""
    stuck: set[str] = field(default_factory=set)
    """Networks that can be neither attached nor left."""
    while_left: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        Fallible.__init__(self)

    @can_fail
    def networks(self, node: Node) -> frozenset[str] | None:
        return self.on.setdefault(node.id, frozenset({"fleet"}))

    @can_fail
    def attach(self, node: Node, network: str) -> None:
        self._change(network)
        self.on[node.id] = (self.networks(node) or frozenset()) | {network}

    @can_fail
    def detach(self, node: Node, network: str) -> None:
        self._change(network)
        self.on[node.id] = (self.networks(node) or frozenset()) - {network}
        if self.while_left is not None:
            self.while_left()

    @can_fail
    def used(self, node: Node) -> frozenset[str]:
        return (self.networks(node) or frozenset()) | self.stopped.get(node.id, frozenset())

    def _change(self, network: str) -> None:
        if network in self.stuck:
            raise Unavailable(f"{network} is stuck")
