"""The load balancer's targets."""

from __future__ import annotations

from dataclasses import dataclass, field

from swarmkeeper.domain.model import NodeId
from tests.fakes.faults import Fallible, can_fail


@dataclass(slots=True)
class FakeRoutes(Fallible):
    """Every node is a target until it is withdrawn; `log` tells in which order."""

    withdrawn: set[NodeId] = field(default_factory=set)
    log: list[tuple[str, NodeId]] = field(default_factory=list)

    def __post_init__(self) -> None:
        Fallible.__init__(self)

    @can_fail
    def withdraw(self, node_id: NodeId) -> None:
        self.withdrawn.add(node_id)
        self.log.append(("withdrawn", node_id))

    @can_fail
    def restore(self, node_id: NodeId) -> None:
        self.withdrawn.discard(node_id)
        self.log.append(("restored", node_id))
