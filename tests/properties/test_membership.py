"""I4 whatever order events come in: who is in service is ready, who is gone leaves nothing, nobody waits for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from swarmkeeper.domain.membership import JOINING_STATES, NodeState, Step
from swarmkeeper.domain.model import NodeId, PoolName
from swarmkeeper.errors import Conflict, Unavailable
from swarmkeeper.ports import Command, CommandStatus
from swarmkeeper.services.registrar import WaitingHook
from swarmkeeper.services.transitions import stepped
from tests.fakes.certificates import SIGNING_REQUEST
from tests.fakes.commands import Sent
from tests.unit.services.world import World

EXAMPLES, STEPS = 170, 60
"""Over 10,000 steps in all."""
NODES_MOST = 4
GROUP = "demo-workers"
WORKERS = PoolName("workers")
BASE = "registry.example/base:1"
ROUNDS = 40
ANY = st.integers(0, 10_000)
FAULTS = ("store.save_node", "store.bury_node", "fleet.complete", "fleet.instance", "swarm.nodes", "swarm.label",
          "commands.send", "commands.result", "engines.facts", "engines.images", "events.publish")  # fmt: skip


class Membership(RuleBasedStateMachine):
    """Launches, ends, commands, events and faults in any order; `teardown` lets everything come to rest."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World().with_manager()
        self.world.plans[WORKERS] = replace(self.world.plans[WORKERS], images=(BASE,))
        self.world.fleet.add_group(GROUP, max=100, desired=100)
        self.registrar = self.world.registrar
        self.ids: list[NodeId] = []
        self.told: list[tuple[str, WaitingHook]] = []
        self.finished: set[str] = set()
        self.buried: dict[NodeId, int] = {}

    # What happens out there.

    @precondition(lambda self: len(self.ids) < NODES_MOST)
    @rule()
    def launch(self) -> None:
        node_id = NodeId(f"i-{len(self.ids) + 1:017x}")
        self.ids.append(node_id)
        self.told.append(("launching", self.world.launch(node_id)))

    @precondition(lambda self: self.ids)
    @rule(which=ANY)
    def agent_registers(self, which: int) -> None:
        self.world.commands.register(self._one(which))

    @precondition(lambda self: self._running_commands())
    @rule(which=ANY, succeeds=st.sampled_from((True, True, True, False)))
    def command_ends(self, which: int, succeeds: bool) -> None:
        running = self._running_commands()
        self._end(running[which % len(running)], succeeds=succeeds)

    @precondition(lambda self: self.ids)
    @rule(which=ANY)
    def group_ends_it(self, which: int) -> None:
        node_id = self._one(which)
        if self._lifecycle(node_id) in ("Pending:Wait", "InService"):
            hook = self.world.fleet.begin_termination(node_id)
            self.told.append(("terminating", self.world.waiting(node_id, hook)))

    @precondition(lambda self: self.ids)
    @rule(which=ANY)
    def instance_vanishes(self, which: int) -> None:
        if self._lifecycle(self._one(which)) is not None:
            self.world.fleet.vanish(self._one(which))

    @precondition(lambda self: self.ids)
    @rule(which=ANY, ready=st.booleans())
    def swarm_shows_it_otherwise(self, which: int, ready: bool) -> None:
        self._show(self._one(which), ready=ready)

    @rule(seconds=st.sampled_from((1, 30, 61, 100, 400)))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule(where=st.sampled_from(FAULTS), after=st.booleans())
    def next_call_fails(self, where: str, after: bool) -> None:
        fake, _, method = where.partition(".")
        getattr(self.world, fake).fail(method, Unavailable(f"{where} is away"), after=after)

    # What the registrar is told: late, twice, in any order.

    @precondition(lambda self: self.told)
    @rule(which=ANY)
    def hook_is_told(self, which: int) -> None:
        kind, waiting = self.told[which % len(self.told)]
        with self._may_be_retried():
            getattr(self.registrar, kind)(waiting)

    @precondition(lambda self: self.world.commands.sent)
    @rule(which=ANY)
    def command_is_told(self, which: int) -> None:
        sent = self.world.commands.sent[which % len(self.world.commands.sent)]
        tell = self.registrar.pull_ended if sent.command is Command.PULL else self.registrar.command_ended
        with self._may_be_retried():
            tell(sent.node_id, sent.id)

    @precondition(lambda self: self.ids)
    @rule(which=ANY)
    def schedule_looks(self, which: int) -> None:
        with self._may_be_retried():
            self.registrar.advance(self._one(which))

    @precondition(lambda self: self.ids)
    @rule(which=ANY)
    def scaler_drains(self, which: int) -> None:
        node = self.world.store.node(self._one(which))
        if node is not None and node.state is NodeState.READY:
            with self._may_be_retried():
                self.world.store.save_node(stepped(node, Step.DRAIN, now=self.world.clock.now()))

    # What must hold after each.

    @invariant()
    def in_service_only_after_it_was_ready(self) -> None:
        for node_id in self.ids:
            if self._lifecycle(node_id) == "InService":
                node = self.world.store.node(node_id)
                assert node is not None
                assert node.state not in JOINING_STATES

    @invariant()
    def nothing_is_commanded_on_a_grave(self) -> None:
        for node_id in self.ids:
            node = self.world.store.node(node_id)
            sent = sum(each.node_id == node_id for each in self.world.commands.sent)
            if node is not None and node.state is NodeState.GONE:
                assert sent == self.buried.setdefault(node_id, sent)

    @invariant()
    def a_hook_is_completed_once(self) -> None:
        done = [(each.node_id, each.hook) for each in self.world.fleet.completions]
        assert len(done) == len(set(done))

    def teardown(self) -> None:
        """Everything answers again and nothing new happens: all comes to rest by the schedule alone."""
        for fake in (self.world.store, self.world.fleet, self.world.swarm, self.world.commands, self.world.engines):
            fake._faults.clear()
        self.world.events._faults.clear()
        for _ in range(ROUNDS):
            self._settle_once()
        for node_id in self.ids:
            self._is_at_rest(node_id)
        ready = {node.id for node in self.world.store.nodes() if node.state is NodeState.READY}
        assert {listed.host_name for listed in self.world.swarm.listed.values()} == ready
        assert set(self.world.fleet.actions) == set()

    def _settle_once(self) -> None:
        self.world.clock.advance(61)
        for node_id in self.ids:
            if self._lifecycle(node_id) is None:
                self._show(node_id, ready=False)
                continue
            self.world.commands.register(node_id)
            self._show(node_id, ready=not self._has_left(node_id))
        for sent in self._running_commands():
            self._end(sent, succeeds=True)
        for node_id in self.ids:
            with self._may_be_retried():
                self.registrar.advance(node_id)

    def _is_at_rest(self, node_id: NodeId) -> None:
        node = self.world.store.node(node_id)
        lifecycle = self._lifecycle(node_id)
        assert (node is not None and node.state is NodeState.READY) == (lifecycle == "InService"), (node, lifecycle)
        assert lifecycle in ("InService", None)
        assert [self.world.store.fact(f"{kind}/{node_id}") for kind in ("signing-request", "certificate")] == [None] * 2

    # How the world works.

    def _one(self, which: int) -> NodeId:
        return self.ids[which % len(self.ids)]

    def _lifecycle(self, node_id: NodeId) -> str | None:
        listed = self.world.fleet._groups[GROUP].instances
        return next((each.lifecycle for each in listed if each.id == node_id), None)

    def _running_commands(self) -> list[Sent]:
        return [each for each in self.world.commands.sent if each.id not in self.finished]

    def _has_left(self, node_id: NodeId) -> bool:
        left = [each for each in self.world.commands.sent if each.command is Command.LEAVE and each.id in self.finished]
        return any(each.node_id == node_id for each in left)

    def _show(self, node_id: NodeId, *, ready: bool) -> None:
        is_up = ready and self._lifecycle(node_id) is not None and not self._has_left(node_id)
        for listed in list(self.world.swarm.listed.values()):
            if listed.host_name == node_id:
                self.world.swarm.listed[listed.id] = replace(listed, ready=is_up)

    def _end(self, sent: Sent, *, succeeds: bool) -> None:
        """The command ends on its node; on one that is no more it is not heard of again, and fails."""
        self.finished.add(sent.id)
        if self._lifecycle(sent.node_id) is None or not succeeds:
            self.world.commands.finish(sent.id, error="it broke", status=CommandStatus.FAILED)
            return
        self.world.commands.finish(sent.id, output=self._effect(sent))

    def _effect(self, sent: Sent) -> str:
        match sent.command:
            case Command.CSR:
                return SIGNING_REQUEST
            case Command.JOIN:
                here = [each for each in self.world.swarm.listed.values() if each.host_name == sent.node_id]
                return json.dumps({"node_id": (here[0] if here else self.world.swarm.join(sent.node_id)).id})
            case Command.PULL:
                self.world.engines.pull(sent.node_id, sent.parameters["image"])
            case Command.LEAVE:
                self._show(sent.node_id, ready=False)
        return ""

    @contextmanager
    def _may_be_retried(self) -> Iterator[None]:
        """What the queue would deliver again; anything else is a fault of ours."""
        try:
            yield
        except (Unavailable, Conflict):
            return


Membership.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestMembership = pytest.mark.filterwarnings("error")(Membership.TestCase)
