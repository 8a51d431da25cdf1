"""A Swarm as its managers list it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from swarmkeeper.domain.model import TENANT_NETWORK, Node, NodeId, Role
from swarmkeeper.errors import Conflict, Declined, InvalidInput, NoLeader, Unavailable
from swarmkeeper.ports import SwarmNode
from tests.fakes.faults import Fallible, can_fail


@dataclass(slots=True)
class FakeSwarm(Fallible):
    """Nodes are put in with `join`; managers whose engine is in `unreachable` don't answer.

    It has a leader while more than half of the managers with a vote are reached.
    """

    listed: dict[str, SwarmNode] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    attached: set[str] = field(default_factory=set)
    """Networks to which something is attached."""
    removed: list[str] = field(default_factory=list)
    unreachable: set[NodeId] = field(default_factory=set)
    rotations: int = 0
    tokens: dict[Role, str] = field(default_factory=lambda: {role: f"SWMTKN-{role}" for role in Role})

    def __post_init__(self) -> None:
        Fallible.__init__(self)

    def join(self, host_name: str, *, role: Role = Role.WORKER, ready: bool = True) -> SwarmNode:
        """A node joins; one that comes back under its old host name is listed a second time."""
        reachable = ready if role is Role.MANAGER else None
        number = len(self.listed) + len(self.removed) + 1
        node = SwarmNode(f"swarm-{number}", host_name, ready, role, reachable=reachable)
        self.listed[node.id] = node
        return node

    def go_down(self, host_name: str) -> None:
        """The engine stops answering its managers."""
        for node in [node for node in self.listed.values() if node.host_name == host_name]:
            reachable = False if node.reachable is not None else None
            self.listed[node.id] = replace(node, ready=False, reachable=reachable)

    @can_fail
    def nodes(self, manager: Node) -> tuple[SwarmNode, ...]:
        self._ask(manager)
        return tuple(self.listed.values())

    @can_fail
    def managers(self, manager: Node) -> tuple[SwarmNode, ...]:
        self._ask(manager)
        return tuple(each for each in self.listed.values() if each.role is Role.MANAGER)

    @can_fail
    def label(self, manager: Node, swarm_id: str, labels: Mapping[str, str]) -> None:
        self._ask(manager)
        if swarm_id not in self.listed:
            raise Conflict(f"the Swarm lists no node {swarm_id}")
        self.labels.setdefault(swarm_id, {}).update(labels)
        self.listed[swarm_id] = replace(self.listed[swarm_id], labels=dict(self.labels[swarm_id]))

    @can_fail
    def demote(self, manager: Node, swarm_id: str) -> None:
        self._ask(manager)
        node = self.listed.get(swarm_id)
        if node is None or node.reachable is None:
            return
        others = [each.reachable for each in self.listed.values() if each.reachable is not None and each.id != swarm_id]
        if 2 * sum(others) <= len(others):
            raise Declined(f"{swarm_id} can't be demoted: this would result in a loss of quorum")
        self.listed[swarm_id] = replace(node, role=Role.WORKER, reachable=None)

    @can_fail
    def remove(self, manager: Node, swarm_id: str) -> None:
        self._ask(manager)
        node = self.listed.get(swarm_id)
        if node is None:
            return
        if node.ready:
            raise Conflict(f"node {swarm_id} is not down")
        del self.listed[swarm_id]
        self.removed.append(swarm_id)

    @can_fail
    def join_tokens(self, manager: Node) -> Mapping[Role, str]:
        self._ask(manager)
        return dict(self.tokens)

    @can_fail
    def rotate_join_tokens(self, manager: Node) -> None:
        self._ask(manager)
        self.rotations += 1
        self.tokens = {role: f"SWMTKN-{role}-{self.rotations}" for role in Role}

    @can_fail
    def ensure_network(self, manager: Node, name: str, subnet: str | None) -> None:
        self._ask(manager)
        if self.networks.setdefault(name, subnet or "") != (subnet or self.networks[name]):
            raise InvalidInput("network", f"{name} exists with subnet {self.networks[name]}, not {subnet}")

    @can_fail
    def tenant_networks(self, manager: Node) -> tuple[str, ...]:
        self._ask(manager)
        return tuple(sorted(name for name in self.networks if name.startswith(TENANT_NETWORK)))

    @can_fail
    def remove_network(self, manager: Node, name: str) -> bool:
        self._ask(manager)
        if name in self.attached:
            return False
        self.networks.pop(name, None)
        return True

    def _ask(self, manager: Node) -> None:
        if manager.id in self.unreachable:
            raise Unavailable(f"the engine of {manager.id} does not answer")
        votes = [each.reachable for each in self.listed.values() if each.reachable is not None]
        if votes and 2 * sum(votes) <= len(votes):
            raise NoLeader("The swarm does not have a leader")
