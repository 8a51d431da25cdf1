"""The simulated fleet: nodes that boot, hold containers and are removed; placing is the placement index's."""

from __future__ import annotations

from collections import deque

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import ContainerName, Node, NodeId, Occupant, Request, Resources
from swarmkeeper.domain.placement.index import ClusterIndex
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.wish import Wish, wish_of
from swarmkeeper.simulation.model import PoolModel
from swarmkeeper.simulation.workload import Job


class SimulatedNode:
    """A node with what is free on it; `fails` says that its launch will come to nothing."""

    __slots__ = ("bought_at", "containers", "fails", "free_cpus", "free_memory", "id", "ready_at")

    def __init__(self, node_id: NodeId, bought_at: float, ready_at: float, capacity: Resources) -> None:
        self.id = node_id
        self.bought_at = bought_at
        self.ready_at = ready_at
        self.free_cpus = capacity.nano_cpus
        self.free_memory = capacity.memory_bytes
        self.containers = 0
        self.fails = False

    @property
    def free(self) -> Resources:
        return Resources(self.free_cpus, self.free_memory)


class Fleet:
    """All nodes of one pool, oldest first; names ascend with age.

    `ready` and `empty` (ones that are ready) are by id. `touched` collects the ready nodes whose room has changed
    since somebody emptied it.
    """

    def __init__(self, model: PoolModel, options: PlacementOptions) -> None:
        self.model = model
        self.pool = model.pool
        self.options = options
        self.ready: dict[NodeId, SimulatedNode] = {}
        self.booting: deque[SimulatedNode] = deque()
        self.empty: dict[NodeId, SimulatedNode] = {}
        self.touched: dict[NodeId, SimulatedNode] = {}
        self.reserved_cpus = 0
        self.reserved_memory = 0
        self._index = ClusterIndex(options)
        self._wishes: dict[Resources, Wish] = {}
        self._places: dict[int, SimulatedNode] = {}
        self._named = 0

    def __len__(self) -> int:
        """How many nodes are paid."""
        return len(self.ready) + len(self.booting)

    def buy(self, now: float) -> SimulatedNode:
        """A node is launched."""
        self._named += 1
        node = SimulatedNode(NodeId(f"i-{self._named:08d}"), now, now + self.model.boot_s, self.model.node)
        self.booting.append(node)
        return node

    def finish_boot(self) -> SimulatedNode:
        """The node that was bought first becomes ready, or turns out to have failed."""
        node = self.booting.popleft()
        if not node.fails:
            self.ready[node.id] = self.empty[node.id] = self.touched[node.id] = node
            self._index.put_node(self.record(node))
        return node

    def remove(self, node_id: NodeId) -> SimulatedNode:
        """An empty node is ended. Raises KeyError for any other."""
        node = self.empty.pop(node_id)
        del self.ready[node_id]
        self.touched[node_id] = node
        self._index.remove_node(node_id)
        return node

    def place(self, job: Job) -> bool:
        """Put the job where the placement index would; False when no node has room."""
        size = job.reservation
        chosen = self._index.choose(self._wishes.get(size) or self._wish(size)).node_id
        if chosen is None:
            return False
        node = self.ready[chosen]
        self._index.hold(chosen, Occupant(str(job.number), reservation=size))
        self._places[job.number] = node
        self._change(node, size, 1)
        return True

    def end(self, job: Job) -> None:
        """The job's container is gone."""
        node = self._places.pop(job.number)
        self._index.drop(node.id, str(job.number))
        self._change(node, job.reservation, -1)

    def is_placed(self, job: Job) -> bool:
        """Whether the job runs."""
        return job.number in self._places

    def node_of(self, job: Job) -> NodeId:
        """Where a job runs that does."""
        return self._places[job.number].id

    def record(self, node: SimulatedNode) -> Node:
        """The node as the domain's code knows it."""
        ready = node.id in self.ready
        return Node(
            id=node.id,
            pool=self.pool.name,
            role=self.pool.role,
            state=NodeState.READY if ready else NodeState.LAUNCHING,
            created_at=node.bought_at,
            state_since=node.ready_at if ready else node.bought_at,
            capacity=self.model.node,
            reserved=self.model.node - node.free,
            containers=node.containers,
        )

    @property
    def reserved_share(self) -> float:
        """How much of the ready nodes' scarcer dimension is reserved; 1 where there is no node."""
        whole, count = self.model.node, len(self.ready)
        if not count:
            return 1.0
        return max(self.reserved_cpus / whole.nano_cpus, self.reserved_memory / whole.memory_bytes) / count

    def _wish(self, size: Resources) -> Wish:
        wish = self._wishes[size] = wish_of(request_of(0, size), self.options)
        return wish

    def _change(self, node: SimulatedNode, size: Resources, sign: int) -> None:
        cpus, memory = size.nano_cpus * sign, size.memory_bytes * sign
        node.free_cpus -= cpus
        node.free_memory -= memory
        node.containers += sign
        self.reserved_cpus += cpus
        self.reserved_memory += memory
        self.touched[node.id] = node
        if not node.containers:
            self.empty[node.id] = node
        elif sign > 0 and node.containers == 1:
            del self.empty[node.id]


def request_of(number: int, size: Resources) -> Request:
    """A job as a request: a size without any rule."""
    return Request(ContainerName(f"job-{number}"), "", size)
