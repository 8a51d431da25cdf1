"""Placing: one reservation, one container, whatever happens in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from swarmkeeper.domain.model import ContainerName, ContainerState, Node, Request
from swarmkeeper.errors import Conflict, Contention, Declined, InvalidInput, NameTaken, Unavailable, Unreachable
from swarmkeeper.ports import RESERVATION_LEASE_S, Command
from swarmkeeper.services.reservations import Placed
from tests.fakes import a_request
from tests.fakes.builders import resources
from tests.unit.services.world import IMAGE, World


@pytest.fixture
def world() -> World:
    return World().with_manager()


def test_a_request_that_fits_runs_on_a_node(world: World) -> None:
    world.with_worker("i-0a")
    container = world.placer.create(a_request("web-1"))
    assert (container.state, container.node) == (ContainerState.RUNNING, "i-0a")
    assert world.engines.running("web-1") == ["i-0a"]


def test_a_request_without_room_waits_with_its_reason(world: World) -> None:
    world.with_worker("i-0a", slots=0)
    container = world.placer.create(a_request("web-1"))
    assert container.state is ContainerState.PENDING
    assert "1 of" in container.reason


def test_managers_take_no_containers(world: World) -> None:
    assert world.placer.create(a_request("web-1")).state is ContainerState.PENDING


def test_the_same_request_twice_is_one_container(world: World) -> None:
    world.with_worker("i-0a")
    first = world.placer.create(a_request("web-1"))
    assert world.placer.create(a_request("web-1")) == first
    assert world.engines.made == 1
    assert world.node("i-0a").containers == 1


def test_a_new_request_costs_a_reservation_and_its_end_and_reads_nothing_of_its_own(world: World) -> None:
    world.with_worker("i-0a")
    placer = world.placer
    placer.create(a_request("web-0"))
    world.store.calls.clear()
    placer.create(a_request("web-1"))
    assert world.store.calls == {"reserve": 1, "confirm": 1}


def test_a_request_that_is_there_is_known_again_when_its_pool_could_hold_no_other(world: World) -> None:
    world.store.save_node(replace(world.with_worker("i-0a"), capacity=resources(64, 65_536)))
    large = a_request("large", cpus=32)
    first = world.placer.create(large)
    world.store.save_node(replace(world.node("i-0a"), capacity=resources(2, 2048)))
    assert world.placer.create(large) == first


def test_another_request_of_the_same_name_is_refused(world: World) -> None:
    world.with_worker("i-0a")
    world.placer.create(a_request("web-1"))
    with pytest.raises(NameTaken):
        world.placer.create(a_request("web-1", memory_mib=512))


def test_two_placements_racing_for_the_last_slot_leave_one_running_and_one_pending(world: World) -> None:
    world.with_worker("i-0a", slots=1)
    with ThreadPoolExecutor(2) as pool:
        states = sorted(
            container.state
            for container in pool.map(lambda name: world.placer.create(a_request(name)), ["web-1", "web-2"])
        )
    assert states == [ContainerState.PENDING, ContainerState.RUNNING]
    assert world.node("i-0a").containers == 1


def test_a_conflict_that_teaches_nothing_is_tried_again_after_a_jittered_pause(world: World) -> None:
    world.with_worker("i-0a")
    world.store.fail("reserve", Contention("two writers met"), times=2)
    assert world.placer.create(a_request("web-1")).state is ContainerState.RUNNING
    assert len(world.pauses) == 2


def test_a_request_that_loses_every_race_is_kept_pending(world: World) -> None:
    world.with_worker("i-0a")
    world.store.fail("reserve", Contention("two writers met"), times=100)
    container = world.placer.create(a_request("web-1"))
    assert (container.state, container.reason) == (ContainerState.PENDING, "every try lost a race for its node")


def test_a_missing_image_is_pulled_by_a_command_and_the_container_starts_afterwards(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.on("i-0a").images.clear()
    container = world.placer.create(a_request("web-1"))
    sent = world.commands.last(Command.PULL)
    assert (container.state, sent.parameters) == (ContainerState.RESERVED, {"image": IMAGE})
    world.end_pull()
    assert world.engines.running("web-1") == ["i-0a"]


def test_containers_of_one_missing_image_share_one_pull(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.on("i-0a").images.clear()
    for name in ("web-1", "web-2", "web-3"):
        world.placer.create(a_request(name))
    assert len(world.commands.sent) == 1


def test_a_failed_pull_gives_the_room_back_and_says_why(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.on("i-0a").images.clear()
    world.placer.create(a_request("web-1"))
    world.end_pull(fails=True)
    container = world.container()
    assert container.state is ContainerState.PENDING
    assert "can't be pulled on i-0a (command-1): it broke" in container.reason
    assert world.node("i-0a").containers == 0


def test_an_engine_that_does_not_answer_keeps_the_reservation_until_it_does(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.on("i-0a").silent = True
    container = world.placer.create(a_request("web-1"))
    assert (container.state, container.node) == (ContainerState.RESERVED, "i-0a")
    world.engines.on("i-0a").silent = False
    settled = world.pending.settle_named(ContainerName("web-1"))
    assert settled is not None
    assert settled.state is ContainerState.RUNNING


def test_an_engine_that_can_not_be_reached_gives_the_room_back_and_the_next_is_tried(world: World) -> None:
    world.with_worker("i-0a")
    world.with_worker("i-0b")
    world.engines.on("i-0a").reachable = False
    container = world.placer.create(a_request("web-1"))
    assert (container.state, container.node) == (ContainerState.RUNNING, "i-0b")
    assert world.node("i-0a").containers == 0


def test_an_engine_that_has_just_failed_is_tried_last(world: World) -> None:
    world.with_worker("i-0a")
    world.with_worker("i-0b")
    world.engines.on("i-0a").reachable = False
    placer = world.placer
    for number in range(4):
        assert placer.create(a_request(f"web-{number}", cpus=0.1)).node == "i-0b"
    assert world.engines.calls["create"] == 5
    world.engines.on("i-0a").reachable = True
    world.clock.advance(31)
    assert placer.create(a_request("web-9", cpus=0.1)).node == "i-0a"


def test_an_engine_that_has_just_failed_is_tried_when_there_is_no_other(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.on("i-0a").reachable = False
    placer = world.placer
    assert (
        placer.create(a_request("web-1")).reason
        == "the engine of i-0a can't be reached; 1 of 2 nodes: role; 1: avoided"
    )
    world.engines.on("i-0a").reachable = True
    assert placer.create(a_request("web-1")).state is ContainerState.RUNNING


def test_a_copy_that_may_run_keeps_its_room_while_its_node_can_not_be_reached(world: World) -> None:
    world.with_worker("i-0a")
    world.with_worker("i-0b")
    world.engines.fail("start", Unavailable("lost"), after=True)
    held_by = str(world.placer.create(a_request("web-1")).node)
    world.engines.on(held_by).reachable = False
    waiting = world.pending.settle_named(ContainerName("web-1"))
    assert waiting is not None
    assert (waiting.state, waiting.node) == (ContainerState.RESERVED, held_by)
    world.engines.on(held_by).reachable = True
    world.pending.settle_named(ContainerName("web-1"))
    assert world.engines.running("web-1") == [held_by]


def test_an_engine_that_declines_to_start_it_keeps_no_copy(world: World) -> None:
    world.with_worker("i-0a")
    world.with_worker("i-0b")
    world.engines.fail("start", Declined("it fails to start: 500 no space left"))
    ran_on = world.placer.create(a_request("web-1")).node
    assert world.engines.calls["start"] == 2
    assert [node for node in ("i-0a", "i-0b") if world.engines.on(node).containers] == [ran_on]


def test_a_copy_that_could_not_be_started_for_want_of_an_answer_keeps_its_room(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.fail("start", Unreachable("no route"))
    container = world.placer.create(a_request("web-1"))
    assert (container.state, container.reason) == (ContainerState.RESERVED, "no route")
    world.pending.settle_named(ContainerName("web-1"))
    assert world.engines.made == 1
    assert world.engines.running("web-1") == ["i-0a"]


def test_what_another_call_is_making_is_left_to_it_until_its_lease_is_over(world: World) -> None:
    world.with_worker("i-0a")
    request = a_request("web-1")
    world.reserver.reserve(request)
    assert world.placer.create(request).state is ContainerState.RESERVED
    assert world.engines.calls["create"] == 0
    world.clock.advance(RESERVATION_LEASE_S)
    assert world.placer.create(request).state is ContainerState.RUNNING


def test_who_comes_back_after_its_lease_can_give_nothing_back(world: World) -> None:
    world.with_worker("i-0a")
    before = world.reserver.reserve(a_request("web-1"))
    assert isinstance(before, Placed)
    world.clock.advance(RESERVATION_LEASE_S)
    create = world.engines.create

    def late(node: Node, request: Request, *, image: str = "") -> str:
        with pytest.raises(Conflict):
            world.store.unplace(before.container, reason="too late")
        return create(node, request, image=image)

    world.engines.create = late  # type: ignore[method-assign]  # the first call comes back at this very moment
    settled = world.pending.settle_named(ContainerName("web-1"))
    assert settled is not None
    assert settled.state is ContainerState.RUNNING


def test_no_further_engine_is_tried_when_the_time_is_up(world: World) -> None:
    for node in ("i-0a", "i-0b", "i-0c"):
        world.with_worker(node)
    world.engines.fail("create", Declined("busy"), times=9)
    create = world.engines.create

    def slow(node: Node, request: Request, *, image: str = "") -> str:
        world.clock.advance(7)
        return create(node, request, image=image)

    world.engines.create = slow  # type: ignore[method-assign]  # it takes its time
    assert world.placer.create(a_request("web-1")).state is ContainerState.PENDING
    assert world.engines.calls["create"] == 2


def test_a_request_that_no_pool_could_ever_hold_is_refused_at_once(world: World) -> None:
    with pytest.raises(InvalidInput, match=r"no node could ever hold it: pool workers: resources: wants 3 CPUs"):
        world.placer.create(a_request("web-1", cpus=3))
    with pytest.raises(InvalidInput, match=r"pool workers: constraint: storage==ssd does not hold"):
        world.placer.create(a_request("web-1", constraints=("storage==ssd",)))
    assert world.store.containers() == ()


def test_a_node_that_is_larger_than_its_pool_promises_may_hold_it(world: World) -> None:
    node = world.with_worker("i-0a")
    world.store.save_node(replace(node, capacity=node.capacity + node.capacity))
    assert world.placer.create(a_request("web-1", cpus=3)).state is ContainerState.RUNNING


def test_what_is_soft_or_depends_on_others_is_not_impossible(world: World) -> None:
    soft = a_request("web-1", constraints=("storage==~ssd",))
    beside = a_request("web-2")
    beside = replace(beside, rules=replace(beside.rules, affinities=("container==db",)))
    assert [world.placer.create(each).state for each in (soft, beside)] == [ContainerState.PENDING] * 2


def test_a_removal_waits_until_no_copy_can_appear_any_more(world: World) -> None:
    world.with_worker("i-0a")
    request = a_request("web-1")
    world.reserver.reserve(request)
    removed = world.placer.remove(ContainerName("web-1"))
    assert removed is not None
    assert removed.state is ContainerState.REMOVING
    with pytest.raises(NameTaken):
        world.placer.create(request)
    world.clock.advance(RESERVATION_LEASE_S)
    assert world.pending.settle_named(ContainerName("web-1")) is None


def test_a_lost_answer_of_the_engine_makes_no_second_container(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.fail("create", Unavailable("lost"), after=True)
    world.placer.create(a_request("web-1"))
    world.pending.settle_named(ContainerName("web-1"))
    assert (world.engines.made, world.engines.running("web-1")) == (1, ["i-0a"])


def test_a_request_that_the_engine_refuses_leaves_nothing_behind(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.refuse(IMAGE, "HostConfig.ShmSize", "is too small")
    with pytest.raises(InvalidInput, match="ShmSize"):
        world.placer.create(a_request("web-1"))
    assert world.store.container(ContainerName("web-1")) is None
    assert world.node("i-0a").containers == 0


def test_pending_requests_are_placed_oldest_first_when_room_appears(world: World) -> None:
    for name in ("b", "a", "c"):
        world.placer.create(a_request(name))
        world.clock.advance(1)
    world.with_worker("i-0a", slots=2)
    waiting = world.pending.retry()
    assert [container.name for container in waiting] == ["c"]
    assert world.node("i-0a").containers == 2


def test_node_ready_twice_places_each_container_once(world: World) -> None:
    world.placer.create(a_request("web-1"))
    world.with_worker("i-0a")
    world.pending.retry()
    world.pending.retry()
    assert (world.engines.made, world.node("i-0a").containers) == (1, 1)


def test_removal_frees_the_engine_the_room_and_the_name(world: World) -> None:
    world.with_worker("i-0a")
    world.placer.create(a_request("web-1"))
    assert world.placer.remove(ContainerName("web-1")) is not None
    assert world.engines.running("web-1") == []
    assert world.node("i-0a").containers == 0
    assert world.placer.remove(ContainerName("web-1")) is None


def test_a_removal_that_the_engine_did_not_answer_is_finished_later(world: World) -> None:
    world.with_worker("i-0a")
    world.placer.create(a_request("web-1"))
    world.engines.fail("remove", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        world.placer.remove(ContainerName("web-1"))
    assert world.reconciler.nudge().containers == ("web-1",)
    world.pending.settle_named(ContainerName("web-1"))
    assert world.engines.running("web-1") == []
    assert world.node("i-0a").containers == 0


def test_a_pending_request_can_be_removed(world: World) -> None:
    world.placer.create(a_request("web-1"))
    world.placer.remove(ContainerName("web-1"))
    assert world.store.pending() == ()


def test_a_name_that_an_engine_holds_for_something_else_leaves_the_request_pending(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.fail("create", Conflict("another container web-1 exists"))
    container = world.placer.create(a_request("web-1"))
    assert (container.state, "refused it" in container.reason) == (ContainerState.PENDING, True)
    assert world.node("i-0a").containers == 0


def test_a_container_that_can_not_start_is_taken_off_the_engine_again(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.fail("start", InvalidInput("Cmd", "can't be run"))
    with pytest.raises(InvalidInput, match="Cmd"):
        world.placer.create(a_request("web-1"))
    assert world.engines.on("i-0a").containers == {}
    assert world.store.container(ContainerName("web-1")) is None


def test_when_an_engine_refuses_the_next_candidate_is_tried(world: World) -> None:
    world.with_worker("i-0a")
    world.with_worker("i-0b")
    world.engines.fail("create", Conflict("another container web-1 exists"))
    container = world.placer.create(a_request("web-1"))
    assert container.state is ContainerState.RUNNING
    assert sum(world.node(name).containers for name in ("i-0a", "i-0b")) == 1


def test_a_container_that_waits_for_its_pull_asks_for_no_second_one(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.on("i-0a").images.clear()
    world.placer.create(a_request("web-1"))
    world.pending.settle_named(ContainerName("web-1"))
    assert len(world.commands.sent) == 1


def test_the_same_request_twice_at_once_is_answered_with_the_one_container(world: World) -> None:
    world.with_worker("i-0a")
    world.store.fail("reserve", NameTaken("the other call was first"), after=True)
    container = world.placer.create(a_request("web-1"))
    assert (container.state, container.node) == (ContainerState.RESERVED, "i-0a")


def test_a_container_removed_while_it_is_made_leaves_no_copy(world: World) -> None:
    world.with_worker("i-0a")
    world.store.fail("confirm", Conflict("removed meanwhile"))
    start = world.engines.start

    def removed_meanwhile(node: Node, engine_id: str) -> None:
        start(node, engine_id)
        container = world.store.container(ContainerName("web-1"))
        assert container is not None
        world.store.release(world.store.begin_removal(container))

    world.engines.start = removed_meanwhile  # type: ignore[method-assign]  # the removal comes at this very moment
    with pytest.raises(Conflict):
        world.placer.create(a_request("web-1"))
    assert world.engines.on("i-0a").containers == {}
