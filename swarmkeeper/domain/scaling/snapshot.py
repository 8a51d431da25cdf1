"""What a scaling decision is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from swarmkeeper.domain.membership import JOINING_STATES, NodeState
from swarmkeeper.domain.model import Container, Node, NodeId, Pool, PoolName, Request
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.scaling.demand import promised_nodes
from swarmkeeper.domain.scaling.failures import ceiling_while_failed
from swarmkeeper.domain.scaling.floors import Ceiling, Floor
from swarmkeeper.domain.scaling.guards import Cap, GroupSize, Guard, Limits
from swarmkeeper.domain.scaling.state import ScalingState


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """A pool of workers and its group as observed.

    `launched` counts the instances that the group lists and that are not ending; None when that is not known.
    `protected` are nodes that the group would not end now, such as those in standby. `refreshing` says that an
    instance refresh runs; `silent` which metrics have no opinion; `dry_run` that what is decided is not acted on.
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
    silent: tuple[str, ...] = ()
    dry_run: bool = False
    launched: int | None = None

    @property
    def name(self) -> PoolName:
        return self.pool.name

    @property
    def group(self) -> GroupSize:
        return GroupSize(self.group_min, self.group_max, self.group_desired, self.suspended)

    def is_unavailable(self, now: float) -> bool:
        """Whether a launch has failed so lately that none is tried."""
        return self.state.unavailable_until is not None and now < self.state.unavailable_until


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

    def containers_on(self, node_id: NodeId) -> Sequence[Container]:
        return self.containers_by_node.get(node_id, ())

    def facts_of(self, node: Node) -> NodeFacts:
        """The node with its containers, as far as they are known here."""
        held = self.containers_on(node.id)
        return NodeFacts(node, tuple(occupant_of(each.request, each.engine_id) for each in held))


class PoolNodes:
    """A pool's nodes by what they are to a decision made `now`."""

    def __init__(self, seen: PoolSnapshot, nodes: Iterable[Node], limits: Limits, now: float) -> None:
        self.seen = seen
        self.all = tuple(node for node in nodes if node.pool == seen.name)
        self._limits = limits
        self.now = now
        self.ready = tuple(node for node in self.all if node.state is NodeState.READY)
        """In service."""
        self.joining = tuple(node for node in self.all if node.state in JOINING_STATES)
        self.draining = tuple(node for node in self.all if node.state is NodeState.DRAINING and node.hook is None)
        """Those that we drain; those that Auto Scaling ends already (a hook waits) are not ours to keep."""
        undrained = len(self.ready) + len(self.joining)
        self.draining_in_desired = min(len(self.draining), max(0, seen.group_desired - undrained))
        """How many of `draining` the group still counts: ending one lowers desired before its hook tells us."""
        lost = sum(1 for node in self.all if node.state is NodeState.LOST and node.hook is None)
        self.lost_in_desired = min(lost, max(0, seen.group_desired - undrained - self.draining_in_desired))
        """Lost nodes that the group counts: they hold nothing up, and may be waited for."""
        self.promised = promised_nodes(seen.pool, self._coming(), self.all, now=now)
        """What the group owes us."""

    @property
    def in_group(self) -> int:
        """What is there or promised."""
        return len(self.ready) + len(self.joining) + self.draining_in_desired + len(self.promised)

    @property
    def base(self) -> int:
        """What growth starts from: what a failing group was asked for in vain is not counted."""
        return self.in_group if self.ceiling is not None else max(self.seen.group_desired, self.in_group)

    @property
    def counted(self) -> int:
        """What shrinking starts from: the group's desired capacity without the nodes that drain or are lost."""
        return self.seen.group_desired - self.draining_in_desired - self.lost_in_desired

    @property
    def ceiling(self) -> Cap | None:
        """What a failed or unavailable pool may have at most: what is there, and one try when its time has come."""
        both = [cap for cap in (self._ceiling_while_failed(), self._ceiling_while_unavailable()) if cap is not None]
        return min(both, key=lambda cap: cap.nodes, default=None)

    def _ceiling_while_failed(self) -> Cap | None:
        state, limits, now = self.seen.state, self._limits, self.now
        in_service = len(self.ready) + self.draining_in_desired
        nodes = ceiling_while_failed(
            state, in_service=in_service, joining=len(self.joining), retry_s=limits.failed_retry_s, now=now
        )
        if nodes is None or state.failed_since is None:
            return None
        retry_at = state.failed_since + limits.failed_retry_s
        return Cap(Guard.FAILED, nodes, retry_at if retry_at > now else now + limits.recheck_s)

    def _ceiling_while_unavailable(self) -> Cap | None:
        if not self.seen.is_unavailable(self.now):
            return None
        return Cap(Guard.UNAVAILABLE, min(self.in_group, self.seen.group_desired), self.seen.state.unavailable_until)

    def _coming(self) -> int:
        """What the group will come to: while launches fail, no more than it has launched."""
        if self.seen.state.failed_since is not None:
            return 0
        if self.seen.is_unavailable(self.now):
            return min(self.seen.group_desired, self.seen.launched or 0)
        return self.seen.group_desired
