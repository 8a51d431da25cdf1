"""What a scaling decision is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from swarmkeeper.domain.membership import JOINING_STATES, NodeState
from swarmkeeper.domain.model import Container, Node, NodeId, Pool, Request
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.scaling.demand import promised_nodes
from swarmkeeper.domain.scaling.floors import Ceiling, Floor
from swarmkeeper.domain.scaling.guards import GroupSize
from swarmkeeper.domain.scaling.state import ScalingState


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """A pool of workers and its group as observed.

    `launched` counts the instances that the group lists and that are not ending; None when that is not known.
    `protected` are nodes that the group would not end now, such as those in standby. `refreshing` says that an
    instance refresh runs; `dry_run` that what is decided is not acted on.
    """

    pool: Pool
    group_min: int
    group_max: int
    group_desired: int
    state: ScalingState
    suspended: frozenset[str] = frozenset()
    refreshing: bool = False
    protected: frozenset[NodeId] = frozenset()
    floors: tuple[Floor, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    dry_run: bool = False
    launched: int | None = None


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """All pools of workers with their nodes, and what waits; `trigger` says for the log who asked.

    `nodes` are the workers of these pools. `containers_by_node` lists what stands on a node, moves towards it
    included; a node that has containers and no entry counts as one whose containers can't be moved.
    """

    nodes: Sequence[Node]
    containers_by_node: Mapping[NodeId, Sequence[Container]]
    pending: Sequence[Request]
    pools: tuple[PoolSnapshot, ...]
    trigger: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One pool and its fleet as observed.

    `nodes` are the fleet's workers (with what other groups have promised, see `promised_nodes`);
    `containers_by_node` is needed for this pool's nodes; `trigger` says for the log who asked.
    """

    pool: Pool
    group_min: int
    group_max: int
    group_desired: int
    nodes: Sequence[Node]
    pending: Sequence[Request]
    state: ScalingState
    suspended: frozenset[str] = frozenset()
    containers_by_node: Mapping[NodeId, Sequence[Container]] = field(default_factory=dict)
    trigger: str = ""

    def facts_of(self, node: Node) -> NodeFacts:
        """The node with its containers, as far as they are known here."""
        held = self.containers_by_node.get(node.id, ())
        return NodeFacts(node, tuple(occupant_of(each.request, each.engine_id) for each in held))

    @property
    def group(self) -> GroupSize:
        return GroupSize(self.group_min, self.group_max, self.group_desired, self.suspended)

    @property
    def ready(self) -> tuple[Node, ...]:
        """The pool's nodes in service."""
        return tuple(node for node in self._ours if node.state is NodeState.READY)

    @property
    def joining(self) -> tuple[Node, ...]:
        return tuple(node for node in self._ours if node.state in JOINING_STATES)

    @property
    def draining(self) -> tuple[Node, ...]:
        """The pool's nodes that we drain; those that Auto Scaling ends already (a hook waits) are not ours to keep."""
        return tuple(node for node in self._ours if node.state is NodeState.DRAINING and node.hook is None)

    @property
    def draining_in_desired(self) -> int:
        """How many of `draining` the group still counts: ending one lowers desired before its hook tells us."""
        return min(len(self.draining), max(0, self.group_desired - len(self.ready) - len(self.joining)))

    @property
    def promised(self) -> tuple[Node, ...]:
        """What the group owes us; nothing while the pool is failed, since it may never come."""
        if self.state.failed_since is not None:
            return ()
        return promised_nodes(self.pool, self.group_desired, self.nodes)

    @property
    def in_group(self) -> int:
        """What growth starts from: what is there or promised."""
        return len(self.ready) + len(self.joining) + self.draining_in_desired + len(self.promised)

    @property
    def _ours(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.pool == self.pool.name)
