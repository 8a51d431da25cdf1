"""Nodes' lives under arbitrary orders of events: legal states, I1 to I4, and drains that keep to their limit (I5)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from swarmkeeper.domain.losses import LossFuse
from swarmkeeper.domain.membership import JOINING_STATES, LeaveCause, NodeState, Step
from swarmkeeper.domain.model import ContainerName, ContainerState, NodeId
from swarmkeeper.services import pending
from swarmkeeper.services.transitions import stepped
from tests.fakes import FixedClock, a_request
from tests.properties.driving import Drive
from tests.properties.watching import WatchedEngines, WatchedStore
from tests.unit.services.healing import assert_totals_are_sums
from tests.unit.services.world import MANAGER, World

EXAMPLES, STEPS = 150, 80
"""A derandomised run (CI) made 11,445 steps in 157 examples, counted by the checks of the invariants."""
ROUNDS, ROUND_S = 15, 240.0
MOST = 4
NODES = st.integers(0, 7)
NAMES = ("web-1", "web-2", "web-3")


class Lives(Drive):
    """A pool of a few instances to which everything may happen at any time, told late, twice or never."""

    def __init__(self) -> None:
        clock, fuse = FixedClock(), LossFuse(nodes=3, window_s=60)
        self.store = WatchedStore(clock)
        engines = WatchedEngines(self.store, clock)
        super().__init__(World(clock=clock, store=self.store, engines=engines, fuse=fuse).with_manager())
        self.removed: set[str] = set()
        self.accepted: set[str] = set()
        for _ in range(3):
            self._join()
        for name in NAMES:
            self._want(name, movable=name == NAMES[0])

    # Instances.

    @precondition(lambda self: len(self._alive()) < MOST)
    @rule()
    def launch(self) -> None:
        self._launch()

    @precondition(lambda self: len(self._alive()) < MOST)
    @rule()
    def a_launch_goes_well(self) -> None:
        self._served(self._join)

    @rule(which=NODES)
    def the_group_ends_one(self, which: int) -> None:
        node_id = self._one(which)
        if self._runs(node_id) and node_id not in self._ending():
            self.hooks.append(self.world.waiting(node_id, self.world.fleet.begin_termination(node_id)))

    @rule(which=NODES)
    def an_instance_vanishes(self, which: int) -> None:
        if self._runs(self._one(which)):
            self.world.fleet.vanish(self._one(which))

    @rule(which=NODES)
    def a_node_is_cut_off(self, which: int) -> None:
        node_id = self._one(which)
        if self._runs(node_id):
            self._cut_off(node_id)

    @precondition(lambda self: self.cut)
    @rule(which=NODES)
    def a_partition_heals(self, which: int) -> None:
        self._heal(sorted(self.cut)[which % len(self.cut)])

    # Events.

    @precondition(lambda self: self.hooks)
    @rule(which=st.integers(0, 30))
    def a_hook_is_told(self, which: int) -> None:
        """Any hook that ever waited, again."""
        self._tell(self.hooks[which % len(self.hooks)])

    @rule(which=NODES)
    def a_command_ends(self, which: int) -> None:
        self._end_commands(self._one(which))

    @precondition(lambda self: self.world.commands.sent)
    @rule(which=st.integers(0, 30), late=st.booleans())
    def a_commands_end_is_told(self, which: int, late: bool) -> None:
        """Of any command that was ever sent: again, late, or before Systems Manager knows of it."""
        sent = self.world.commands.sent
        self._tell_end(sent[which % len(sent)] if late else sent[-1 - which % len(sent)])

    @rule(which=NODES)
    def a_node_lacks_the_image(self, which: int) -> None:
        self.world.engines.on(self._one(which)).images.clear()

    @rule(which=NODES)
    def a_node_is_checked(self, which: int) -> None:
        self._served(lambda: self._check(self._one(which)))

    @rule(times=st.integers(1, 3))
    def the_schedule_runs(self, times: int) -> None:
        for _ in range(times):
            self._tick()

    @rule(seconds=st.sampled_from([5, 61, 300, 1900]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    # What users and the scaler do.

    @rule(name=st.sampled_from(NAMES), movable=st.booleans())
    def a_container_is_wanted(self, name: str, movable: bool) -> None:
        if self.world.store.container(ContainerName(name)) is None:
            self._want(name, movable=movable)

    @rule(name=st.sampled_from(NAMES))
    def a_container_is_removed(self, name: str) -> None:
        self.removed.add(name)
        self._served(lambda: self.world.placer.remove(ContainerName(name)))

    @rule()
    def what_waits_is_tried(self) -> None:
        self._served(self.world.pending.retry)

    @rule(which=NODES)
    def the_scaler_drains_one(self, which: int) -> None:
        node = self.world.store.node(self._one(which))
        if node is not None and node.state is NodeState.READY:
            self.world.store.save_node(stepped(node, Step.DRAIN, now=self.world.clock.now()))

    @rule(which=NODES)
    def an_operator_drains_one(self, which: int) -> None:
        self._served(lambda: self.world.departures.ask(self._one(which), LeaveCause.OPERATOR, note="by hand"))

    @rule(which=NODES)
    def an_operator_takes_that_back(self, which: int) -> None:
        self._served(lambda: self.world.departures.take_back(self._one(which)))

    @rule(which=NODES, cause=st.sampled_from([LeaveCause.SPOT_INTERRUPTION, LeaveCause.REBALANCE]))
    def ec2_warns(self, which: int, cause: LeaveCause) -> None:
        by = self.world.clock.now() + 120 if cause is LeaveCause.SPOT_INTERRUPTION else None
        self._served(lambda: self.world.registrar.warned(self._one(which), cause, by=by, note="warned"))

    # What always holds.

    @invariant()
    def reservations_are_sums_and_fit(self) -> None:
        assert_totals_are_sums(self.world)

    @invariant()
    def one_copy_runs_at_most(self) -> None:
        self._end_machines()
        for name in NAMES:
            assert len(self.world.engines.running(name)) <= 1, name

    @invariant()
    def what_is_in_service_has_joined_and_a_tombstone_holds_nothing(self) -> None:
        for item in self.world.fleet.group(self.GROUP).instances:
            node = self.world.store.node(item.id)
            if item.lifecycle == "InService":
                assert node is not None
                assert node.state not in JOINING_STATES
        for node_id in self.ids:
            node = self.world.store.node(node_id)
            if node is not None and node.state is NodeState.GONE:
                assert self.world.store.containers_on(node_id) == ()

    @invariant()
    def no_accepted_container_is_lost(self) -> None:
        known = {each.name: each for each in self.world.store.containers()}
        assert self.accepted - self.removed <= set(known)
        for each in known.values():
            assert each.reason or each.state is not ContainerState.PENDING, each

    @invariant()
    def what_is_called_running_runs_where_its_machine_does(self) -> None:
        for each in self.world.store.containers():
            if each.state is ContainerState.RUNNING and each.moving_to is None and self._runs(each.node or MANAGER):
                assert self.world.engines.running(each.name) == [each.node], each

    def teardown(self) -> None:
        """Once nothing more goes wrong, everything comes to rest: no node half-way, no ghost, nothing unexplained."""
        for _ in range(ROUNDS):
            for node_id in self.ids:
                self._heal(node_id)
                self._end_commands(node_id)
            for hook in self.hooks:
                self._tell(hook)
            self.world.clock.advance(ROUND_S)
            self._tick()
        for node in self.world.store.nodes():
            assert node.state is NodeState.READY, node
            assert node.suspected_at is None
        serving = {node.id for node in self.world.store.nodes()} - {MANAGER}
        assert serving == {item.id for item in self.world.fleet.group(self.GROUP).instances}
        listed = {each.host_name for each in self.world.swarm.listed.values()}
        assert listed - {MANAGER} == serving, "ghosts"
        for container in self.world.store.containers():
            is_running = container.state is ContainerState.RUNNING
            assert self.world.engines.running(container.name) == ([container.node] if is_running else [])
            assert is_running or container.reason

    def _want(self, name: str, *, movable: bool) -> None:
        self._served(lambda: self.world.placer.create(a_request(name, movable=movable)))
        self.removed.discard(name)
        is_known = self.world.store.container(ContainerName(name)) is not None
        (self.accepted.add if is_known else self.accepted.discard)(name)

    def _check(self, node_id: NodeId) -> None:
        """A look; one at a drain whose limit is over ends it one way or the other, or goes on at once (I5)."""
        before, now = self.world.store.node(node_id), self.world.clock.now()
        progress = self.world.registrar.advance(node_id)
        node = self.world.store.node(node_id)
        if before is None or node is None or not before.state is node.state is NodeState.DRAINING:
            return
        if now >= self.store.drain_ends_at(node) and node_id not in self.cut and not progress.more_to_do:
            assert self.world.store.containers_on(node_id) == (), progress


@pytest.fixture(autouse=True)
def _one_engine_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "STARTS_AT_ONCE", 1)


Lives.TestCase.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLives = Lives.TestCase
