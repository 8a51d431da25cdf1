"""On demand that swings with a period near the cooldown, nodes bought per hour stay within a stated bound.

A small fleet lives through hours: containers come and go with a wave, nodes boot, empty ones are drained and end. The
bound follows from the guards alone, see `bound`, so it holds for any wave; these are the nastiest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerName, ContainerState, Node, NodeId, Pool, PoolName, Role
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.scheduler import decide
from swarmkeeper.domain.scaling.decision import decide_fleet
from swarmkeeper.domain.scaling.guards import Limits
from swarmkeeper.domain.scaling.memory import after_decision
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot, PoolSnapshot
from swarmkeeper.domain.scaling.state import ScalingState
from tests.fakes.builders import a_node, a_request, options, resources

STEP_S, BOOT_S, HOUR_S = 15.0, 90.0, 3600.0
HOURS = 2
PER_NODE, LOW, HIGH = 4, 4, 40
"""Containers on a node, and the wave's bottom and top in containers."""
BEGIN = 1_000_000.0
Wave = Callable[[float], int]


def square(period_s: float) -> Wave:
    return lambda at: HIGH if at % period_s < period_s / 2 else LOW


def sawtooth(period_s: float) -> Wave:
    return lambda at: LOW + round((HIGH - LOW) * (at % period_s) / period_s)


@dataclass
class Life:
    """One pool under a wave; `bought` and `removed` hold (time, nodes)."""

    policy: Policy
    pool: Pool
    desired: int = 1
    now: float = BEGIN
    state: ScalingState = field(default_factory=lambda: ScalingState(PoolName("workers")))
    nodes: dict[NodeId, Node] = field(default_factory=dict)
    held: dict[ContainerName, Container] = field(default_factory=dict)
    bought: list[tuple[float, int]] = field(default_factory=list)
    removed: list[tuple[float, int]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    launched: int = 0
    asked: int = 0

    def step(self, wanted: int) -> None:
        """Let so many containers be wanted, the youngest leaving first, then decide once."""
        self._boot()
        self._end_drained()
        while len(self.held) < wanted:
            self.asked += 1
            name = ContainerName(f"c{self.asked}")
            request = a_request(name, cpus=0.5, memory_mib=1, movable=True)
            self.held[name] = Container(request, ContainerState.PENDING, self.now)
        for name in list(self.held)[wanted:]:
            del self.held[name]
        self._place()
        self._decide()
        self.now += STEP_S

    def _boot(self) -> None:
        alive = [node for node in self.nodes.values() if node.state is not NodeState.DRAINING]
        for _ in range(self.desired - len(alive)):
            self.launched += 1
            node = a_node(f"i-{self.launched:04d}", state=NodeState.LAUNCHING, slots=PER_NODE, created_at=self.now)
            self.nodes[node.id] = replace(node, state_since=self.now)
        for node in list(self.nodes.values()):
            if node.state is NodeState.LAUNCHING and self.now - node.state_since >= BOOT_S:
                self.nodes[node.id] = replace(node, state=NodeState.READY)

    def _end_drained(self) -> None:
        """Drained nodes hand on what they held at once, and end with their place in the group."""
        for node in list(self.nodes.values()):
            if node.state is NodeState.DRAINING:
                for name, container in self.held.items():
                    if container.node == node.id:
                        self.held[name] = replace(container, state=ContainerState.PENDING, node=None)
                del self.nodes[node.id]

    def _place(self) -> None:
        facts = [self._facts(node) for node in self.nodes.values()]
        for name, container in self.held.items():
            if container.node is not None:
                continue
            chosen = decide(container.request, facts, self.policy.options).chosen
            if chosen is not None:
                at = next(number for number, each in enumerate(facts) if each.id == chosen.id)
                facts[at] = facts[at].holding(occupant_of(container.request))
                self.held[name] = replace(container, state=ContainerState.RUNNING, node=chosen.id)

    def _facts(self, node: Node) -> NodeFacts:
        return NodeFacts(self._counted(node))

    def _counted(self, node: Node) -> Node:
        for container in self._on(node):
            node = node.holding(container.request.reservation)
        return node

    def _on(self, node: Node) -> tuple[Container, ...]:
        return tuple(each for each in self.held.values() if each.node == node.id)

    def _decide(self) -> None:
        seen = PoolSnapshot(self.pool, 1, 50, self.desired, self.state)
        snapshot = FleetSnapshot(
            nodes=[self._counted(node) for node in self.nodes.values()],
            containers_by_node={node.id: self._on(node) for node in self.nodes.values()},
            pending=[each.request for each in self.held.values() if each.node is None],
            pools=(seen,),
        )
        (decision,) = decide_fleet(snapshot, {self.pool.name: self.policy}, self.now)
        self.state = after_decision(seen, decision, self.policy.limits, self.now)
        for node_id in decision.reclaimed:
            self.nodes[node_id] = replace(self.nodes[node_id], state=NodeState.READY)
        if decision.victims:
            self.removed.append((self.now, len(decision.victims)))
            for node_id in decision.victims:
                self.nodes[node_id] = replace(self.nodes[node_id], state=NodeState.DRAINING)
        elif decision.desired > self.desired:
            self.bought.append((self.now, decision.desired - self.desired))
        self.desired = decision.desired
        self.sizes.append(self.desired)


def bound(limits: Limits, first: int, largest: int, smallest: int) -> int:
    """The most nodes that may be bought in an hour.

    What is bought was removed within the same hour, or makes the pool larger than it was at its start. Removals are
    bounded by the fuse; and each follows any change by the cooldown at least, and takes no more than all.
    """
    times = int(HOUR_S // limits.in_cooldown_s) + 1
    by_cooldown = times * (largest - smallest)
    by_fuse = by_cooldown
    if limits.removals_in_window is not None:
        by_fuse = limits.removals_in_window * (int(HOUR_S // limits.removals_window_s) + 1)
    return min(by_cooldown, by_fuse) + largest - first


@pytest.mark.parametrize("wave", [square, sawtooth])
@pytest.mark.parametrize("factor", [0.95, 1.05, 2.1])
@pytest.mark.parametrize(
    ("cooldown_s", "fuse"), [pytest.param(300, None, id="no fuse"), pytest.param(120, 3, id="a fuse of three")]
)
def test_nodes_bought_per_hour_are_bounded(
    wave: Callable[[float], Wave], factor: float, cooldown_s: float, fuse: int | None
) -> None:
    limits = Limits(
        out_cooldown_s=30,
        in_cooldown_s=cooldown_s,
        removals_in_window=fuse,
        removals_window_s=600,
        drains_at_once=50,
    )
    pool = Pool(PoolName("workers"), Role.WORKER, "demo-workers", 1, 50, resources(2, 2048), slots=PER_NODE)
    life = Life(Policy(options("binpack"), reserved_high=1.0, limits=limits), pool)
    demand = wave(cooldown_s * factor)
    while life.now < BEGIN + HOURS * HOUR_S:
        life.step(demand(life.now - BEGIN))
    assert sum(nodes for _, nodes in life.bought) > 0
    for number in range(0, len(life.sizes), 20):
        since = BEGIN + number * STEP_S
        within = life.sizes[number : number + int(HOUR_S / STEP_S)]
        bought = sum(nodes for at, nodes in life.bought if since <= at < since + HOUR_S)
        assert bought <= bound(limits, life.sizes[number - 1] if number else 1, max(within), min(within))


def test_a_removal_never_follows_any_change_within_the_cooldown() -> None:
    limits = Limits(out_cooldown_s=0, in_cooldown_s=120, removals_in_window=None, drains_at_once=50)
    pool = Pool(PoolName("workers"), Role.WORKER, "demo-workers", 1, 50, resources(2, 2048), slots=PER_NODE)
    life = Life(Policy(options("binpack"), reserved_high=1.0, limits=limits), pool)
    demand = square(130)
    while life.now < BEGIN + HOUR_S:
        life.step(demand(life.now - BEGIN))
    changes = sorted([*life.bought, *life.removed])
    for at, _ in life.removed:
        assert all(not at - 120 < other < at for other, _ in changes)
