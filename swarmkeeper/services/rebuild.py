"""Make the table anew from what lives: groups and instances, the Swarm's list, and what the engines hold.

A node is recorded closed, then its containers, then it is opened: nothing is placed on room that is in use, and nobody
ends a node that only looks empty. Whatever is there already stays; each step may be repeated, and what was cut off is
gone on with by the next call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

from swarmkeeper.domain.membership import NodeState, Step
from swarmkeeper.domain.model import Hook, Node, NodeId, PoolName, Resources, Role
from swarmkeeper.domain.placement.labels import node_labels
from swarmkeeper.domain.pools import PoolPlan
from swarmkeeper.errors import NodeChanged, Unavailable
from swarmkeeper.ports import Clock, Engines, Fleet, InstanceFacts, StateStore, Swarm, SwarmNode
from swarmkeeper.services.admitting import capacity_of, labels_of
from swarmkeeper.services.drainer import LEAVE_HOOK
from swarmkeeper.services.recorder import Finding, FoundContainer, Recorder
from swarmkeeper.services.recording import closed, is_closed
from swarmkeeper.services.slots import FIRST_MANAGER
from swarmkeeper.services.transitions import stepped

IN_SERVICE, ENDING = "InService", "Terminating:Wait"
NODES_A_SHARD = 250
"""One call's nodes: what a call answers is bounded too, by Lambda's 6 MB."""
NODES_AT_ONCE = 16
OPENING_TRIES = 5
HOLDING = frozenset({NodeState.READY, NodeState.DRAINING})


@dataclass(frozen=True, slots=True)
class FoundNode:
    """An instance of the fleet's, what became of its record, and its containers."""

    id: NodeId
    finding: Finding
    detail: str = ""
    containers: tuple[FoundContainer, ...] = ()


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a call found; `follows` is what to give as `after` for the nodes that follow, "" when none do."""

    nodes: tuple[FoundNode, ...]
    follows: str = ""


@dataclass(frozen=True, slots=True)
class _Member:
    """An instance of a pool that is in service, or waits for the end in its hook."""

    id: NodeId
    plan: PoolPlan
    lifecycle: str

    @property
    def position(self) -> str:
        """Managers come first: everyone else's work needs one."""
        return f"{self.plan.pool.role}/{self.id}"


@dataclass(frozen=True, slots=True)
class _Living:
    """A member with what EC2 and the Swarm say of it."""

    member: _Member
    instance: InstanceFacts | None
    listed: SwarmNode | None


class Rebuild:
    """Use case of the reconciler function, on demand only."""

    def __init__(
        self,
        *,
        store: StateStore,
        fleet: Fleet,
        swarm: Swarm,
        engines: Engines,
        recorder: Recorder,
        clock: Clock,
        plans: Mapping[PoolName, PoolPlan],
        nodes_a_shard: int = NODES_A_SHARD,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._swarm = swarm
        self._engines = engines
        self._recorder = recorder
        self._clock = clock
        self._plans = tuple(plans.values())
        self._nodes_a_shard = nodes_a_shard

    def run(self, *, after: str = "", until: float) -> Rebuilt:
        """Record the nodes that follow `after`, as many as a shard has and as can be begun before `until`.

        Raises Unavailable when no manager of the fleet answers, or AWS doesn't.
        """
        members = self._members()
        managers = [member for member in members if member.plan.pool.role is Role.MANAGER]
        following = [member for member in members if member.position > after]
        shard = following[: self._nodes_a_shard]
        described = self._described([*managers, *shard])
        listed = self._listed(managers, described)
        machine = cache(self._fleet.type_capacity)
        living = [_Living(member, described.get(member.id), listed.get(member.id)) for member in shard]
        found = self._each(living, machine, until)
        follows = shard[len(found) - 1].position if len(found) < len(following) else ""
        return Rebuilt(tuple(found), follows)

    def _each(self, living: Sequence[_Living], machine: Callable[[str], Resources], until: float) -> list[FoundNode]:
        """The findings of those that were begun in time: some, if there are any."""

        def look(place: int) -> FoundNode | None:
            if place >= NODES_AT_ONCE and self._clock.now() >= until:
                return None
            return self._node(living[place], machine)

        with ThreadPoolExecutor(NODES_AT_ONCE) as workers:
            found = list(workers.map(look, range(len(living))))
        begun = found.index(None) if None in found else len(found)
        return [each for each in found[:begun] if each is not None]

    def _members(self) -> list[_Member]:
        members = [
            _Member(instance.id, plan, instance.lifecycle)
            for plan in self._plans
            for instance in self._fleet.group(plan.pool.group).instances
            if instance.lifecycle in (IN_SERVICE, ENDING)
        ]
        return sorted(members, key=lambda member: member.position)

    def _described(self, members: Sequence[_Member]) -> dict[NodeId, InstanceFacts]:
        wanted = sorted({member.id for member in members})
        return {facts.id: facts for facts in self._fleet.instances(wanted) if facts.running}

    def _listed(
        self, managers: Sequence[_Member], described: Mapping[NodeId, InstanceFacts]
    ) -> dict[NodeId, SwarmNode]:
        """The Swarm's ready nodes by host name, from the first manager that answers.

        That one is noted as the Swarm's first, or else the next manager to launch would begin another Swarm.
        """
        problem = "the fleet has no manager in service"
        for manager in managers:
            if manager.id not in described:
                continue
            try:
                listed = self._swarm.nodes(self._new_node(manager, described[manager.id]))
            except Unavailable as error:
                problem = str(error)
                continue
            self._store.set_fact_once(FIRST_MANAGER, manager.id)
            return {NodeId(each.host_name): each for each in listed if each.ready}
        raise Unavailable(f"no manager answers: {problem}")

    def _node(self, living: _Living, machine: Callable[[str], Resources]) -> FoundNode:
        node_id = living.member.id
        try:
            known = self._store.node(node_id)
            if known is not None and not is_closed(known):
                return self._known(known)
            if living.instance is None or living.listed is None:
                return FoundNode(node_id, Finding.STRANGE, "the Swarm does not list it as ready")
            return self._rebuilt(living.member, living.instance, living.listed, machine)
        except Unavailable as error:
            return FoundNode(node_id, Finding.STRANGE, str(error))

    def _known(self, node: Node) -> FoundNode:
        """A node that the table has: what it lacks of its containers is recorded all the same."""
        if node.state is NodeState.GONE:
            return FoundNode(node.id, Finding.STRANGE, f"the table has buried it: {node.reason}")
        return FoundNode(node.id, Finding.THERE, node.state, self._containers(node))

    def _rebuilt(
        self, member: _Member, instance: InstanceFacts, listed: SwarmNode, machine: Callable[[str], Resources]
    ) -> FoundNode:
        record = self._record(member, instance, listed, machine)
        try:
            self._store.add_node(closed(record))
        except NodeChanged as changed:
            if changed.actual is None or not is_closed(changed.actual):
                return FoundNode(member.id, Finding.THERE, "it was recorded meanwhile")
        containers = self._containers(record)
        opened = self._open(record, member)
        return FoundNode(member.id, Finding.REBUILT, opened.state, containers)

    def _record(
        self, member: _Member, instance: InstanceFacts, listed: SwarmNode, machine: Callable[[str], Resources]
    ) -> Node:
        """The record as the registrar would have made it; labels are those that it gave the node in the Swarm."""
        engine = self._engines.facts(self._new_node(member, instance))
        plan = member.plan
        return replace(
            self._new_node(member, instance),
            swarm_id=listed.id,
            capacity=capacity_of(engine, machine(instance.instance_type), plan),
            slots=plan.pool.slots,
            labels=dict(listed.labels) or node_labels(labels_of(plan.pool, instance), engine.labels),
        )

    def _containers(self, node: Node) -> tuple[FoundContainer, ...]:
        if node.role is not Role.WORKER or node.state not in HOLDING:
            return ()
        return self._recorder.record(node)

    def _open(self, record: Node, member: _Member) -> Node:
        """Let the node take part: its containers are known. Raises Unavailable when others keep changing it."""
        for _ in range(OPENING_TRIES):
            stored = self._store.node(record.id)
            if stored is None or not is_closed(stored):
                break
            opened = replace(
                stored, capacity=record.capacity, slots=record.slots, protected=record.protected, reason=record.reason
            )
            try:
                return self._store.save_node(self._as_its_group_has_it(opened, member))
            except NodeChanged:
                continue
        else:
            raise Unavailable(f"{record.id} keeps changing")
        return stored or record

    def _as_its_group_has_it(self, node: Node, member: _Member) -> Node:
        """A node whose terminate hook waits drains."""
        if member.lifecycle != ENDING:
            return node
        now, plan = self._clock.now(), member.plan
        hook = Hook(plan.pool.group, LEAVE_HOOK, "", now + plan.drain_limit_s)
        return stepped(replace(node, hook=hook, reason="ended by its group"), Step.DRAIN, now=now)

    def _new_node(self, member: _Member, instance: InstanceFacts) -> Node:
        """A ready node, newer by its numbers than any record that a warm function may still know.

        They count changes, of which a node never has a thousand a second.
        """
        now = self._clock.now()
        beyond = int(now * 1000)
        return Node(
            id=member.id,
            pool=member.plan.pool.name,
            role=member.plan.pool.role,
            state=NodeState.READY,
            created_at=instance.launched_at or now,
            state_since=now,
            epoch=beyond,
            revision=beyond,
            address=instance.address,
            image_id=instance.image_id,
        )
