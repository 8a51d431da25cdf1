"""Managers' hand-over under arbitrary orders of events: the quorum is never given away, and there is one Swarm."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from swarmkeeper.domain.membership import JOINING_STATES, NodeState
from swarmkeeper.domain.model import ContainerName, Node, NodeId, Role
from swarmkeeper.domain.quorum import majority
from swarmkeeper.errors import Declined
from swarmkeeper.ports import Command, CommandStatus
from swarmkeeper.services.managers import votes_in
from swarmkeeper.services.slots import FIRST_MANAGER
from tests.fakes import FakeCommands, FakeSwarm, FixedClock, a_request
from tests.fakes.commands import Sent
from tests.properties.driving import Drive
from tests.properties.watching import WatchedEngines, WatchedStore
from tests.unit.services.world import MANAGER, World

EXAMPLES, STEPS = 100, 60
"""A derandomised run (CI) made 5,400 steps in 102 examples, counted by the checks of the invariants."""
ROUNDS, ROUND_S = 30, 5.0
LOOKS_A_ROUND = 3
MANAGERS, MOST = 3, 5
WORKER = "i-00000000000000bbb"
TENANT = ContainerName("web-1")
NODES = st.integers(0, 7)


class WatchedSwarm(FakeSwarm):
    """Refuses to be asked for what would cost its quorum: the registrar has to see that before."""

    def demote(self, manager: Node, swarm_id: str) -> None:
        try:
            super().demote(manager, swarm_id)
        except Declined as refusal:
            raise AssertionError("asked to demote at the cost of the quorum") from refusal

    def remove(self, manager: Node, swarm_id: str) -> None:
        super().remove(manager, swarm_id)
        votes = votes_in(self.listed.values())
        assert sum(votes.values()) >= majority(len(votes)), "taken off at the cost of the quorum"


class WatchedCommands(FakeCommands):
    """Refuses a second Swarm, two managers that join at once, a join that risks the quorum, and a leave with a vote."""

    def __init__(self, store: WatchedStore, swarm: FakeSwarm) -> None:
        super().__init__()
        self._store = store
        self._swarm = swarm

    def send(self, node_id: NodeId, command: Command, parameters: Mapping[str, str]) -> str:
        votes = votes_in(self._swarm.listed.values())
        if command is Command.JOIN:
            assert parameters["mode"] == "join", "a second Swarm"
            self._assert_may_join(node_id, {name: votes[name] for name in votes if name != node_id})
        if command is Command.LEAVE:
            assert node_id not in votes, "it leaves with its vote"
        return super().send(node_id, command, parameters)

    def _assert_may_join(self, node_id: NodeId, others: Mapping[str, bool]) -> None:
        assert len(others) == 1 or sum(others.values()) >= majority(len(others) + 1), (
            "one failure more costs the quorum"
        )
        sent = {each.node_id for each in self.sent if each.command is Command.JOIN} - {node_id}
        joining = {each.id for each in self._store.nodes() if each.state in JOINING_STATES}
        assert not sent & joining, "two join at once"


class HandOver(Drive):
    """Three managers that come, go and fail, one at a time for good, as often as they like for a while."""

    GROUP, ROLE = "demo-managers", Role.MANAGER

    def __init__(self) -> None:
        clock, swarm = FixedClock(), WatchedSwarm()
        store = WatchedStore(clock)
        commands = WatchedCommands(store, swarm)
        engines = WatchedEngines(store, clock)
        super().__init__(
            World(clock=clock, store=store, engines=engines, swarm=swarm, commands=commands).with_manager()
        )
        store.set_fact_once(FIRST_MANAGER, MANAGER)
        self.world.commands.register(MANAGER)
        self.ids.append(MANAGER)
        for _ in range(MANAGERS - 1):
            self._join()
        self.world.with_worker(WORKER)
        self.world.placer.create(a_request(TENANT))

    # Instances.

    @precondition(lambda self: len(self._alive()) < MOST)
    @rule()
    def the_group_launches_one(self) -> None:
        self._launch()

    @rule(which=NODES)
    def the_group_ends_one(self, which: int) -> None:
        node_id = self._one(which)
        if self._runs(node_id) and node_id not in self._ending():
            self.hooks.append(self.world.waiting(node_id, self.world.fleet.begin_termination(node_id)))

    @rule(which=NODES)
    def an_instance_vanishes(self, which: int) -> None:
        """Unless what is left would be no quorum for good: no product recovers that by itself."""
        node_id = self._one(which)
        left = self._durable() - {node_id}
        if self._runs(node_id) and len(left) >= majority(len(self._voters())):
            self.world.fleet.vanish(node_id)

    @rule(which=NODES)
    def one_is_cut_off(self, which: int) -> None:
        if self._runs(self._one(which)):
            self._cut_off(self._one(which))

    @precondition(lambda self: self.cut)
    @rule(which=NODES)
    def a_partition_heals(self, which: int) -> None:
        self._heal(sorted(self.cut)[which % len(self.cut)])

    # Events.

    @precondition(lambda self: self.hooks)
    @rule(which=st.integers(0, 30))
    def a_hook_is_told(self, which: int) -> None:
        self._tell(self.hooks[which % len(self.hooks)])

    @rule(which=NODES)
    def commands_end(self, which: int) -> None:
        self._end_commands(self._one(which))

    @precondition(lambda self: self.world.commands.sent)
    @rule(which=st.integers(0, 30))
    def a_commands_end_is_told(self, which: int) -> None:
        sent = self.world.commands.sent
        self._tell_end(sent[-1 - which % len(sent)])

    @rule(which=NODES)
    def one_is_checked(self, which: int) -> None:
        self._served(lambda: self._check(self._one(which)))

    @rule(times=st.integers(1, 3))
    def the_schedule_runs(self, times: int) -> None:
        for _ in range(times):
            self._tick()

    @rule(seconds=st.sampled_from([5, 61, 300]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    # What always holds.

    @invariant()
    def tenants_notice_nothing(self) -> None:
        assert self.world.engines.running(TENANT) == [NodeId(WORKER)]

    def teardown(self) -> None:
        """Once nothing more goes wrong there are as many managers as wanted, each with a vote, and no other votes."""
        for _ in range(ROUNDS):
            for node_id in self.ids:
                self._heal(node_id)
            while len(set(self._alive()) - self._ending()) < MANAGERS:
                self._launch()
            self._look_around()
            self.world.clock.advance(ROUND_S)
            self._tick()
        managers = {node.id for node in self.world.store.nodes() if node.role is Role.MANAGER}
        assert managers == {item.id for item in self.world.fleet.group(self.GROUP).instances}
        assert all(node.state is NodeState.READY for node in self.world.store.nodes()), self.world.store.nodes()
        assert votes_in(self.world.swarm.listed.values()) == dict.fromkeys(managers, True)
        assert {each.host_name for each in self.world.swarm.listed.values()} == managers | {WORKER}

    def _look_around(self) -> None:
        for _ in range(LOOKS_A_ROUND):
            for hook in self.hooks:
                self._tell(hook)
            for node_id in self.ids:
                self._end_commands(node_id)

    def _finish(self, sent: Sent) -> None:
        """Nobody is let in while there is no leader."""
        if sent.command is Command.JOIN and not self._has_quorum():
            self.world.commands.finish(sent.id, error="no leader", status=CommandStatus.FAILED)
        else:
            super()._finish(sent)

    def _served(self, call: Callable[[], object]) -> None:
        """Whatever is done, the quorum that was there before is there after it."""
        self._end_machines()
        had_quorum = self._has_quorum()
        super()._served(call)
        self._end_machines()
        assert self._has_quorum() or not had_quorum, "the quorum was given away"

    def _has_quorum(self) -> bool:
        votes = votes_in(self.world.swarm.listed.values())
        return sum(votes.values()) >= majority(len(votes))

    def _voters(self) -> set[str]:
        """Those with a vote, and those that may get one any moment."""
        joining = {each.id for each in self.world.store.nodes() if each.state in JOINING_STATES}
        return set(votes_in(self.world.swarm.listed.values())) | joining

    def _durable(self) -> set[NodeId]:
        """Managers that serve and stay, cut off or not."""
        staying = {each.id for each in self.world.store.nodes() if each.state is NodeState.READY}
        return staying & set(self._alive()) - self._ending()


HandOver.TestCase.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
)
TestHandOver = HandOver.TestCase
