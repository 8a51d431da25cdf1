"""The table is made anew from instances, the Swarm and the engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock

import pytest

from swarmkeeper.adapters.memory.operations import Operation
from swarmkeeper.adapters.memory.tables import ChangeIndex, Tables
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    NO_RESOURCES,
    SNAPSHOT_LABEL,
    Container,
    ContainerName,
    ContainerState,
    HostPort,
    Lifetime,
    NodeId,
    Quota,
    Role,
    Rules,
)
from swarmkeeper.errors import Contention, Unavailable, VolumeTaken
from swarmkeeper.services.drainer import LEAVE_HOOK
from swarmkeeper.services.inventory import HAS_ENDED, Found
from swarmkeeper.services.rebuild import NODES_AT_ONCE, FoundNode
from swarmkeeper.services.recorder import Finding, FoundContainer
from swarmkeeper.services.recording import RECORDING, closed
from swarmkeeper.services.slots import FIRST_MANAGER
from swarmkeeper.services.writers import Writers
from tests.fakes import FakeStateStore, a_node, a_request
from tests.unit.services.world import DRAIN_LIMIT_S, IMAGE, MANAGER, World

NODE, OTHER = NodeId("i-0a"), NodeId("i-0b")
REBUILT, THERE, STRANGE, DUPLICATE = Finding.REBUILT, Finding.THERE, Finding.STRANGE, Finding.DUPLICATE


@pytest.fixture
def world() -> World:
    """A manager and a worker on which web-1 runs."""
    world = World().with_manager()
    world.with_worker(NODE)
    world.swarm.label(world.node(MANAGER), world.node(NODE).swarm_id, {"pool": "workers", "zone": "a"})
    world.placer.create(a_request("web-1"))
    return world


def lose_the_table(world: World) -> World:
    """Empty it under those who know it."""
    world.store.stored = Tables()
    world.store.changes = ChangeIndex()
    return world


def rebuild(world: World) -> dict[str, FoundNode]:
    """All shards, as the command asks for them."""
    found: dict[str, FoundNode] = {}
    after = ""
    while True:
        answer = world.rebuild.run(after=after, until=world.clock.now() + 30)
        found |= {node.id: node for node in answer.nodes}
        after = answer.follows
        if not after:
            return found


def copy_on(world: World, node_id: str, name: str = "web-1", *, runs: bool = True, **changes: object) -> str:
    """A copy of the container on another engine, which the table doesn't know."""
    node = a_node(node_id)
    request = replace(a_request(name), **changes)  # type: ignore[arg-type]  # fields by name
    made = world.engines.create(node, request)
    world.engines.start(node, made)
    if not runs:
        world.engines.change(node_id, name, running=False)
    return made


def found_of(found: dict[str, FoundNode], node_id: str, name: str = "web-1") -> FoundContainer:
    return next(each for each in found[node_id].containers if each.name == name)


def test_nodes_and_containers_are_as_they_were(world: World) -> None:
    before, container = world.node(NODE), world.container()
    found = rebuild(lose_the_table(world))
    assert found == {
        MANAGER: FoundNode(MANAGER, REBUILT, "ready"),
        NODE: FoundNode(NODE, REBUILT, "ready", (FoundContainer("web-1", REBUILT),)),
    }
    node, again = world.node(NODE), world.container()
    assert (node.state, node.pool, node.slots, node.capacity) == (NodeState.READY, "workers", 4, before.capacity)
    assert (node.swarm_id, node.labels) == (before.swarm_id, {"pool": "workers", "zone": "a"})
    assert (node.reserved, node.containers) == (before.reserved, 1)
    assert (node.protected, node.reason, node.hook) == (False, "", None)
    assert (again.request, again.state, again.node) == (container.request, ContainerState.RUNNING, NODE)
    assert again.engine_id == container.engine_id
    assert world.node(MANAGER).role is Role.MANAGER


def test_life_goes_on_upon_what_was_rebuilt(world: World) -> None:
    rebuild(lose_the_table(world))
    for number in range(2, 6):
        world.placer.create(a_request(f"web-{number}"))
    states = [world.container(f"web-{number}").state for number in range(1, 6)]
    assert states == [ContainerState.RUNNING] * 4 + [ContainerState.PENDING]
    world.placer.remove(ContainerName("web-1"))
    assert world.engines.running("web-1") == []
    assert world.node(NODE).containers == 3


def test_a_second_rebuild_changes_nothing(world: World) -> None:
    copy_on(world, NODE, "web-2", runs=False)
    rebuild(lose_the_table(world))
    nodes, containers = world.store.nodes(), world.store.containers()
    found = rebuild(world)
    assert {node.finding for node in found.values()} == {THERE}
    assert {each.finding for each in found[NODE].containers} == {THERE}
    assert (world.store.nodes(), world.store.containers()) == (nodes, containers)


def test_what_is_there_stays_and_what_is_missing_is_added(world: World) -> None:
    node, container = world.node(NODE), world.container()
    copy_on(world, NODE, "web-2")
    found = rebuild(world)
    assert found[NODE].finding is THERE
    assert found_of(found, NODE, "web-1") == FoundContainer("web-1", THERE)
    assert found_of(found, NODE, "web-2") == FoundContainer("web-2", REBUILT)
    assert world.container() == container
    assert world.node(NODE).containers == node.containers + 1
    assert world.node(NODE).epoch == node.epoch


def test_a_stopped_container_keeps_its_reservation_and_says_that_it_has_ended(world: World) -> None:
    world.engines.change(NODE, "web-1", running=False, started_at=123.0)
    rebuild(lose_the_table(world))
    container = world.container()
    assert (container.state, container.reason, container.started_at) == (ContainerState.RUNNING, HAS_ENDED, 123.0)
    assert world.node(NODE).reserved == container.request.reservation
    assert world.inventory.check(NODE) == Found(NODE)


def test_the_layer_that_a_container_was_made_from_is_known_again(world: World) -> None:
    image = "registry.example:5000/snapshots/demo/acme/desk@sha256:1"
    request = replace(a_request("desk", movable=True), labels={SNAPSHOT_LABEL: "true"})
    world.engines.pull(NODE, image)
    node = world.node(NODE)
    world.engines.start(node, world.engines.create(node, request, image=image))
    rebuild(lose_the_table(world))
    desk = world.container("desk")
    assert (desk.request, desk.image) == (request, image)
    assert world.container().snapshot is None


def test_what_was_never_started_is_told_of_and_neither_recorded_nor_removed(world: World) -> None:
    world.engines.create(a_node(NODE), a_request("web-2"))
    found = rebuild(lose_the_table(world))
    assert found_of(found, NODE, "web-2") == FoundContainer("web-2", STRANGE, "it was never started")
    assert world.store.container(ContainerName("web-2")) is None
    assert ContainerName("web-2") in world.engines.on(NODE).containers


def test_what_an_engine_can_only_guess_is_recorded_and_told_of(world: World) -> None:
    world.engines.change(NODE, "web-1", doubt="it has no record of its request")
    found = rebuild(lose_the_table(world))
    assert found_of(found, NODE) == FoundContainer("web-1", REBUILT, "it has no record of its request")
    assert world.node(NODE).containers == 1


def test_tenants_quotas_count_what_was_found_once(world: World) -> None:
    world.quota_of = lambda tenant: Quota(containers=1)
    rebuild(lose_the_table(world))
    rebuild(world)
    assert world.store.usage("acme").containers == 1
    assert world.container().counted
    world.placer.remove(ContainerName("web-1"))
    assert world.store.usage("acme").containers == 0


def test_the_writer_of_a_shared_volume_is_known_again(world: World) -> None:
    first = replace(a_request("web-9", image=IMAGE, movable=True), writes=("acme/data",))
    with Writers(store=world.store, clock=world.clock).claimed(first):
        world.placer.create(first)
    lose_the_table(world)
    rebuild(world)
    second = replace(a_request("web-8", image=IMAGE, movable=True), writes=("acme/data",))
    with (
        pytest.raises(VolumeTaken, match="written by web-9"),
        Writers(store=world.store, clock=world.clock).claimed(second),
    ):
        world.placer.create(second)


def test_ports_of_the_host_are_taken(world: World) -> None:
    on_a_port = Rules(ports=(HostPort(8080),))
    copy_on(world, NODE, "web-2", rules=on_a_port)
    rebuild(lose_the_table(world))
    rival = world.placer.create(replace(a_request("rival"), rules=on_a_port))
    assert (rival.state, rival.reason) == (ContainerState.PENDING, "1 of 2 nodes: role; 1: port 8080")


def test_a_container_of_limited_life_ends_in_time(world: World) -> None:
    copy_on(world, NODE, "web-2", lifetime=Lifetime(running_s=3600.0))
    world.engines.change(NODE, "web-2", started_at=world.clock.now() - 3500)
    rebuild(lose_the_table(world))
    world.clock.advance(60)
    assert world.lifetimes.end_overdue() == ()
    world.clock.advance(60)
    assert [each.name for each in world.lifetimes.end_overdue()] == ["web-2"]


def test_a_node_whose_terminate_hook_waits_drains(world: World) -> None:
    world.fleet.begin_termination(NODE)
    found = rebuild(lose_the_table(world))
    node = world.node(NODE)
    assert (found[NODE].detail, node.state) == ("draining", NodeState.DRAINING)
    assert node.hook is not None
    assert (node.hook.name, node.hook.deadline) == (LEAVE_HOOK, world.clock.now() + DRAIN_LIMIT_S)
    world.registrar.advance(NODE)
    assert world.engines.running("web-1") == [NODE]  # unmovable, and waited for


def test_an_instance_that_the_swarm_does_not_list_as_ready_is_told_of(world: World) -> None:
    world.swarm.go_down(NODE)
    found = rebuild(lose_the_table(world))
    assert found[NODE] == FoundNode(NODE, STRANGE, "the Swarm does not list it as ready")
    assert world.store.node(NODE) is None


def test_an_instance_that_is_on_its_way_is_left_to_the_registrar(world: World) -> None:
    world.launch("i-0c")
    assert "i-0c" not in rebuild(lose_the_table(world))


def test_a_tombstone_stays(world: World) -> None:
    lose_the_table(world)
    world.store.add_node(a_node(NODE, state=NodeState.GONE))
    assert rebuild(world)[NODE].finding is STRANGE
    assert world.node(NODE).state is NodeState.GONE


def test_an_engine_that_does_not_answer_is_told_of_and_asked_by_the_next_rebuild(world: World) -> None:
    lose_the_table(world)
    world.engines.on(NODE).silent = True
    assert rebuild(world)[NODE] == FoundNode(NODE, STRANGE, f"the engine of {NODE} does not answer")
    world.engines.on(NODE).silent = False
    assert rebuild(world)[NODE].finding is REBUILT


def test_no_manager_that_answers_is_said_before_anything_is_written(world: World) -> None:
    lose_the_table(world)
    world.swarm.unreachable.add(MANAGER)
    with pytest.raises(Unavailable, match="no manager answers"):
        rebuild(world)
    assert world.store.nodes() == ()


def test_any_manager_that_answers_will_do_and_none_begins_another_swarm(world: World) -> None:
    second = NodeId("i-00000000000000bbb")
    world.fleet.in_service("demo-managers", second)
    world.swarm.join(second, role=Role.MANAGER)
    lose_the_table(world)
    world.swarm.unreachable.add(MANAGER)
    assert rebuild(world)[NODE].finding is REBUILT
    assert world.store.fact(FIRST_MANAGER) == second


def test_a_warm_function_knows_the_new_record_for_the_newer_one(world: World) -> None:
    for number in range(4):
        world.store.save_node(replace(world.node(NODE), health=100 - number))
    placer = world.placer
    placer.create(a_request("web-2"))
    rebuild(lose_the_table(world))
    world.clock.advance(3)
    assert placer.create(a_request("web-3")).state is ContainerState.RUNNING
    assert world.node(NODE).containers == 3


# Cut off, and beside others.
def test_a_warm_function_that_knows_an_open_node_takes_nothing_of_a_closed_one(world: World) -> None:
    placer = world.placer
    placer.create(a_request("web-2"))
    lose_the_table(world)
    placed: list[ContainerState] = []

    def meanwhile(operation: Operation) -> None:
        if operation.name == "restore" and not placed:
            world.store.before = lambda _: None
            placed.append(placer.create(a_request("rival")).state)

    world.store.before = meanwhile
    rebuild(world)
    assert placed == [ContainerState.PENDING]
    assert world.node(NODE).containers == 2


@pytest.mark.parametrize("method", ["containers", "recall"])
def test_a_node_stays_closed_until_all_that_it_holds_is_known(world: World, method: str) -> None:
    copy_on(world, NODE, "web-2")
    lose_the_table(world)
    world.engines.fail(method, Unavailable("no answer"))
    assert rebuild(world)[NODE] == FoundNode(NODE, STRANGE, "no answer")
    node = world.node(NODE)
    assert (node.reason, node.capacity, node.slots, node.protected) == (RECORDING, NO_RESOURCES, 0, True)
    assert world.placer.create(a_request("new")).state is ContainerState.PENDING
    assert world.inventory.check(NODE) == Found(NODE)
    assert rebuild(world)[NODE].finding is REBUILT
    world.pending.retry()
    assert world.container("new").state is ContainerState.RUNNING
    assert world.node(NODE).containers == 3


def test_a_write_that_others_contend_for_leaves_the_node_closed(world: World) -> None:
    lose_the_table(world).store.fail("restore", Contention("two writers met"))
    assert rebuild(world)[NODE].finding is STRANGE
    assert world.node(NODE).reason == RECORDING
    assert rebuild(world)[NODE].finding is REBUILT


def test_a_node_that_is_being_recorded_is_not_drained_however_empty_it_looks(world: World) -> None:
    world.fleet.begin_termination(NODE)
    lose_the_table(world)
    world.store.add_node(closed(a_node(NODE)))
    with pytest.raises(Unavailable, match="recorded anew"):
        world.registrar.advance(NODE)
    assert world.fleet.completions == []
    assert world.engines.running("web-1") == [NODE]


def test_two_rebuilds_at_once_count_everything_once(world: World) -> None:
    copy_on(world, NODE, "web-2")
    lose_the_table(world)
    inner: list[dict[str, FoundNode]] = []

    def meanwhile(operation: Operation) -> None:
        if operation.name == "restore" and not inner:
            inner.append({})
            inner[0] = rebuild(world)

    world.store.before = meanwhile
    found = rebuild(world)
    assert inner[0][NODE].finding is REBUILT
    assert found_of(found, NODE, "web-1").finding in (THERE, STRANGE)
    assert world.node(NODE).containers == 2
    assert world.node(NODE).reserved == a_request().reservation + a_request().reservation
    assert world.node(NODE).reason == ""


def test_a_container_that_is_removed_meanwhile_gets_no_record(world: World) -> None:
    copy_on(world, NODE, "web-2")

    def meanwhile(operation: Operation) -> None:
        if operation.name == "container":
            world.engines.remove(a_node(NODE), "web-2")

    world.store.before = meanwhile
    found = rebuild(world)
    assert [each.name for each in found[NODE].containers] == ["web-1"]
    assert world.store.container(ContainerName("web-2")) is None


# Two engines that hold one name.
@pytest.fixture
def two(world: World) -> World:
    """They are looked at one after the other, by their ids: at once, whichever is first would be the one recorded."""
    world.with_worker(OTHER)
    world.nodes_a_shard = 1
    return world


def test_the_copy_that_runs_wins_over_the_one_that_was_recorded_first(two: World) -> None:
    two.engines.change(NODE, "web-1", running=False)
    made = copy_on(two, OTHER)
    found = rebuild(lose_the_table(two))
    assert found_of(found, OTHER) == FoundContainer(
        "web-1", REBUILT, f"it is running on {NODE} no longer: its copy here runs"
    )
    container = two.container()
    assert (container.node, container.engine_id, container.reason) == (OTHER, made, "")
    assert (two.node(NODE).containers, two.node(OTHER).containers) == (0, 1)
    assert found_of(rebuild(two), NODE) == FoundContainer("web-1", DUPLICATE, f"it is running on {OTHER}")


@pytest.mark.parametrize("runs", [True, False])
def test_another_copy_is_told_of(two: World, runs: bool) -> None:
    copy_on(two, OTHER, runs=runs)
    found = rebuild(lose_the_table(two))
    assert found_of(found, NODE).finding is REBUILT
    assert found_of(found, OTHER) == FoundContainer("web-1", DUPLICATE, f"it is running on {NODE}")
    assert two.container().node == NODE


def test_the_copy_of_another_request_takes_no_place(two: World) -> None:
    two.engines.change(NODE, "web-1", running=False)
    copy_on(two, OTHER, image="registry.example/web:1", id="another")
    assert found_of(rebuild(lose_the_table(two)), OTHER).finding is DUPLICATE
    assert two.container().node == NODE


def test_a_copy_on_an_engine_that_does_not_answer_may_run(two: World) -> None:
    two.engines.change(NODE, "web-1", running=False)
    copy_on(two, OTHER)
    two.engines.fail("containers", Unavailable("no answer"), times=2)
    found = rebuild(two)
    assert {found[NODE].finding, found[OTHER].finding} == {STRANGE}
    two.engines.on(NODE).silent = True
    assert found_of(rebuild(two), OTHER).finding is DUPLICATE


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        pytest.param(lambda request: request, REBUILT, id="the same request"),
        pytest.param(lambda request: replace(request, id="another"), DUPLICATE, id="another request"),
    ],
)
def test_what_waits_in_the_table_and_runs_is_running(
    world: World, change: Callable[..., object], finding: Finding
) -> None:
    lose_the_table(world)
    parked = world.store.park(change(a_request("web-1")), reason="full", now=world.clock.now())  # type: ignore[arg-type]
    assert found_of(rebuild(world), NODE).finding is finding
    runs = finding is REBUILT
    assert world.container().state is (ContainerState.RUNNING if runs else ContainerState.PENDING)
    assert world.container().requested_at == parked.requested_at
    assert world.node(NODE).containers == int(runs)


def test_what_somebody_works_on_is_left_to_them(two: World) -> None:
    lose_the_table(two)
    rebuild(two)
    two.engines.change(NODE, "web-1", running=False)
    copy_on(two, OTHER)
    leased = two.store.lease(two.container(), until=two.clock.now() + 60)
    assert found_of(rebuild(two), OTHER).finding is DUPLICATE
    assert two.container() == leased


# Many nodes.
class OneWriterATenant(FakeStateStore):
    """A store in which two writers of one tenant's counter that meet lose, as in DynamoDB."""

    def __init__(self) -> None:
        super().__init__()
        self._writing = Lock()

    def restore(self, container: Container, *, over: Container | None = None) -> Container:
        if not self._writing.acquire(blocking=False):
            raise Contention("another transaction holds an item")
        try:
            return super().restore(container, over=over)
        finally:
            self._writing.release()


def test_what_counts_towards_one_quota_is_written_one_by_one(world: World) -> None:
    world.quota_of = lambda tenant: Quota(containers=100)
    for number in range(20):
        node = world.with_worker(f"i-{number:08x}")
        for each in range(5):
            copy_on(world, node.id, f"web-{number}-{each}")
    world.store = OneWriterATenant()
    assert {node.finding for node in rebuild(world).values()} == {REBUILT}
    assert world.store.usage("acme").containers == 101


def test_a_fleet_is_rebuilt_shard_by_shard_managers_first(world: World) -> None:
    for number in range(5):
        world.with_worker(f"i-{number:08x}")
    lose_the_table(world)
    world.nodes_a_shard = 3
    answers: list[list[NodeId]] = []
    after = ""
    while not answers or after:
        answer = world.rebuild.run(after=after, until=world.clock.now() + 30)
        answers.append([node.id for node in answer.nodes])
        after = answer.follows
    assert [len(ids) for ids in answers] == [3, 3, 1]
    assert answers[0][0] == MANAGER
    assert sorted(node.id for node in world.store.nodes()) == sorted(id_ for ids in answers for id_ in ids)


def test_a_call_that_has_no_time_left_begins_no_further_node(world: World) -> None:
    for number in range(NODES_AT_ONCE + 5):
        world.with_worker(f"i-{number:08x}")
    lose_the_table(world)
    first = world.rebuild.run(until=world.clock.now())
    assert len(first.nodes) == NODES_AT_ONCE
    second = world.rebuild.run(after=first.follows, until=world.clock.now())
    assert (len(second.nodes), second.follows) == (7, "")
    assert len(world.store.nodes()) == NODES_AT_ONCE + 7
