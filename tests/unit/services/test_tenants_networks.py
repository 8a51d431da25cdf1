"""Routers follow their nodes' tenants, and networks without anybody go."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NodeId
from swarmkeeper.errors import Unavailable
from swarmkeeper.services.network_sweep import (
    BEGIN_WITHIN_S,
    BUDGET,
    PASS_S,
    SWEEP_EVERY,
    TICK_S,
    NetworkSweep,
)
from swarmkeeper.services.router_upkeep import AT_ONCE, FAILURES_AT_ONCE, RouterUpkeep, Upkept
from tests.fakes import a_request
from tests.fakes.routers import FakeRouters
from tests.unit.services.world import World

NODE, OTHER = NodeId("i-0a"), NodeId("i-0b")


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.with_worker(NODE, slots=40)
    return world


@pytest.fixture
def routers() -> FakeRouters:
    return FakeRouters()


def upkeep_of(world: World, routers: FakeRouters) -> RouterUpkeep:
    return RouterUpkeep(store=world.store, routers=routers, clock=world.clock, random=Random(7))


def sweep_of(world: World, routers: FakeRouters) -> NetworkSweep:
    return NetworkSweep(
        store=world.store,
        managers=world.managers,
        swarm=world.swarm,
        routers=routers,
        clock=world.clock,
        random=Random(7),
        at_once=1,
    )


def run(world: World, name: str, tenant: str) -> None:
    request = replace(a_request(name, cpus=0.01, memory_mib=8), network=f"tenant-{tenant}", tenant=tenant)
    assert world.placer.create(request).node is not None


def on(*networks: str) -> frozenset[str]:
    return frozenset({"fleet", *networks})


def test_a_router_that_was_made_anew_is_put_on_the_networks_of_what_runs_there(
    world: World, routers: FakeRouters
) -> None:
    run(world, "web-1", "a")
    run(world, "web-2", "b")
    assert upkeep_of(world, routers).attach(NODE) == Upkept(attached=("tenant-a", "tenant-b"))
    assert routers.on[NODE] == on("tenant-a", "tenant-b")
    assert upkeep_of(world, routers).attach(NODE) == Upkept()


def test_a_router_leaves_networks_of_which_its_node_has_no_container(world: World, routers: FakeRouters) -> None:
    run(world, "web-1", "a")
    routers.on[NODE] = on("tenant-a", "tenant-b")
    assert upkeep_of(world, routers).attach(NODE) == Upkept()
    assert upkeep_of(world, routers).settle(NODE) == Upkept(left=("tenant-b",))
    assert routers.on[NODE] == on("tenant-a")


def test_a_router_that_left_while_a_container_was_placed_is_put_back(world: World, routers: FakeRouters) -> None:
    routers.on[NODE] = on("tenant-a")
    routers.while_left = lambda: run(world, "web-1", "a")
    assert upkeep_of(world, routers).settle(NODE) == Upkept()
    assert routers.on[NODE] == on("tenant-a")


def test_a_network_that_is_full_keeps_the_router_from_no_other_and_on_none_that_is_idle(
    world: World, routers: FakeRouters
) -> None:
    for number in range(3):
        run(world, f"web-{number}", f"t{number}")
    routers.on[NODE] = on("tenant-idle")
    routers.fail("attach", Unavailable("no address left"))
    with pytest.raises(Unavailable, match="no address left"):
        upkeep_of(world, routers).settle(NODE)
    assert len(on("tenant-t0", "tenant-t1", "tenant-t2") & (routers.on[NODE] or frozenset())) == 3  # with the fleet's
    assert "tenant-idle" not in (routers.on[NODE] or frozenset())


def test_a_router_is_put_back_though_another_network_can_not_be_left(world: World, routers: FakeRouters) -> None:
    routers.on[NODE] = on("tenant-a", "tenant-b")

    def meanwhile() -> None:
        routers.fail("detach", Unavailable("slow"))
        run(world, "web-1", "a")

    routers.while_left = meanwhile
    with pytest.raises(Unavailable, match="slow"):
        upkeep_of(world, routers).settle(NODE)
    assert routers.on[NODE] == on("tenant-a", "tenant-b")


def test_a_router_that_left_is_put_back_though_the_answer_was_lost(world: World, routers: FakeRouters) -> None:
    routers.on[NODE] = on("tenant-a")
    routers.while_left = lambda: run(world, "web-1", "a")
    routers.fail("detach", Unavailable("slow"), after=True)
    with pytest.raises(Unavailable, match="slow"):
        upkeep_of(world, routers).settle(NODE)
    assert routers.on[NODE] == on("tenant-a")


def test_a_router_that_can_not_be_put_back_leaves_the_others_and_is_put_back_by_the_next_look(
    world: World, routers: FakeRouters
) -> None:
    everything = on("tenant-a", "tenant-b", "tenant-c")
    routers.on[NODE] = everything

    def meanwhile() -> None:
        if not world.store.containers_on(NODE):
            (left,) = everything - (routers.on[NODE] or frozenset())
            run(world, "web-1", left.removeprefix("tenant-"))

    routers.while_left = meanwhile
    routers.fail("attach", Unavailable("no address left"))
    with pytest.raises(Unavailable, match="no address left"):
        upkeep_of(world, routers).settle(NODE)
    assert routers.on[NODE] == on()
    (placed,) = world.store.containers_on(NODE)
    assert upkeep_of(world, routers).attach(NODE) == Upkept(attached=(placed.request.network,))


def test_detaches_that_fail_take_no_more_time_than_attaches_that_do(world: World, routers: FakeRouters) -> None:
    routers.on[NODE] = on(*(f"tenant-{number}" for number in range(AT_ONCE)))
    routers.fail("detach", Unavailable("slow"), times=AT_ONCE)
    with pytest.raises(Unavailable, match="slow"):
        upkeep_of(world, routers).settle(NODE)
    assert routers.calls["detach"] == FAILURES_AT_ONCE


def test_networks_that_can_never_be_left_keep_no_other_from_it_for_good(world: World, routers: FakeRouters) -> None:
    routers.on[NODE] = on("tenant-a", "tenant-b", "tenant-c")
    routers.stuck |= {"tenant-a", "tenant-b"}
    upkeep = upkeep_of(world, routers)
    for _ in range(20):
        with pytest.raises(Unavailable, match="is stuck"):
            upkeep.settle(NODE)
    assert routers.on[NODE] == on("tenant-a", "tenant-b")


def test_an_engine_that_is_slow_and_answers_takes_a_part_of_the_functions_time(
    world: World, routers: FakeRouters
) -> None:
    for number in range(5):
        run(world, f"web-{number}", f"t{number}")
    routers.on[NODE] = on("tenant-a", "tenant-b")
    for method in ("attach", "detach"):
        routers.meanwhile(method, partial(world.clock.advance, 8.0))
    with pytest.raises(Unavailable, match="3 networks more"):
        upkeep_of(world, routers).settle(NODE)
    assert (routers.calls["attach"], routers.calls["detach"]) == (2, 1)
    with pytest.raises(Unavailable, match="1 networks more"):
        upkeep_of(world, routers).settle(NODE)
    assert upkeep_of(world, routers).settle(NODE).left == ()
    assert len(routers.on[NODE] or ()) == 6  # the fleet's, and those of the five


def test_more_than_one_look_can_make_good_is_left_to_the_next(world: World, routers: FakeRouters) -> None:
    for number in range(AT_ONCE + 1):
        run(world, f"web-{number}", f"t{number}")
    with pytest.raises(Unavailable, match="1 networks more"):
        upkeep_of(world, routers).attach(NODE)
    assert len(upkeep_of(world, routers).attach(NODE).attached) == 1


@pytest.mark.parametrize("node_id", [NODE, NodeId("i-unknown")])
def test_a_router_that_refuses_no_containers_is_left_alone(world: World, routers: FakeRouters, node_id: NodeId) -> None:
    run(world, "web-1", "a")
    routers.on[node_id] = None
    assert upkeep_of(world, routers).settle(node_id) == Upkept()
    assert routers.on[node_id] is None


def test_a_node_that_leaves_is_left_alone(world: World, routers: FakeRouters) -> None:
    run(world, "web-1", "a")
    node = world.store.node(NODE)
    assert node is not None
    world.store.save_node(replace(node, state=NodeState.LOST))
    assert upkeep_of(world, routers).settle(NODE) == Upkept()


def test_a_network_that_nobody_uses_is_removed(world: World, routers: FakeRouters) -> None:
    world.swarm.networks |= {"fleet": "10.112.0.0/20", "tenant-a": "", "tenant-b": "", "tenant-c": ""}
    routers.on[NODE] = on("tenant-a")
    routers.stopped[NODE] = frozenset({"tenant-b"})
    assert sweep_of(world, routers).sweep(now=True) == ("tenant-c",)
    assert set(world.swarm.networks) == {"fleet", "tenant-a", "tenant-b"}


def test_a_network_that_somebody_has_just_been_attached_to_stays(world: World, routers: FakeRouters) -> None:
    world.swarm.networks["tenant-a"] = ""
    world.swarm.attached.add("tenant-a")
    assert sweep_of(world, routers).sweep(now=True) == ()
    assert "tenant-a" in world.swarm.networks


def test_a_worker_that_only_the_swarm_knows_keeps_all_networks(world: World, routers: FakeRouters) -> None:
    node = world.with_worker(OTHER)
    world.swarm.networks["tenant-a"] = ""
    world.store.save_node(replace(node, state=NodeState.GONE))
    assert sweep_of(world, routers).sweep(now=True) == ()
    assert "tenant-a" in world.swarm.networks


def test_a_worker_that_is_suspected_keeps_all_networks(world: World, routers: FakeRouters) -> None:
    world.swarm.networks["tenant-a"] = ""
    node = world.store.node(NODE)
    assert node is not None
    world.store.save_node(replace(node, suspected_at=world.clock.now()))
    assert sweep_of(world, routers).sweep(now=True) == ()
    assert "tenant-a" in world.swarm.networks


def test_an_engine_that_does_not_answer_keeps_all_networks(world: World, routers: FakeRouters) -> None:
    world.with_worker(OTHER)
    world.swarm.networks["tenant-a"] = ""
    routers.fail("used", Unavailable("i-0b does not answer"))
    with pytest.raises(Unavailable):
        sweep_of(world, routers).sweep(now=True)
    assert "tenant-a" in world.swarm.networks


def test_where_engines_are_slow_the_next_tick_goes_on_with_the_others(world: World, routers: FakeRouters) -> None:
    world.with_worker(OTHER)
    world.with_worker("i-0c")
    world.swarm.networks |= {"tenant-a": "", "tenant-b": ""}
    routers.on[NODE] = on("tenant-a")
    routers.meanwhile("used", partial(world.clock.advance, BEGIN_WITHIN_S / 2))
    sweep = sweep_of(world, routers)
    with pytest.raises(Unavailable, match="1 of 3 engines"):
        sweep.sweep(now=True)
    assert set(world.swarm.networks) == {"tenant-a", "tenant-b"}
    world.clock.advance(TICK_S)
    assert sweep.sweep() == ("tenant-b",)
    assert routers.calls["used"] == 3
    world.clock.advance(TICK_S)
    world.swarm.networks["tenant-b"] = ""
    assert sweep.sweep() == ()  # it is over, and the next one's turn is later


def test_what_was_placed_since_an_engine_was_asked_keeps_its_network(world: World, routers: FakeRouters) -> None:
    node = world.with_worker(OTHER)
    world.store.save_node(replace(node, state=NodeState.DRAINING))
    world.swarm.networks |= {"tenant-a": "", "tenant-b": ""}
    routers.meanwhile("used", partial(world.clock.advance, BEGIN_WITHIN_S))
    sweep = sweep_of(world, routers)
    with pytest.raises(Unavailable, match="1 of 2 engines"):
        sweep.sweep(now=True)
    run(world, "web-1", "a")
    assert [each.name for each in world.store.containers_on(NODE)] == ["web-1"]
    world.clock.advance(TICK_S)
    assert sweep.sweep() == ()  # all are asked, and no time is left
    assert sweep.sweep() == ("tenant-b",)


def test_what_engines_said_too_long_ago_is_asked_anew(world: World, routers: FakeRouters) -> None:
    world.with_worker(OTHER)
    world.swarm.networks["tenant-a"] = ""
    routers.meanwhile("used", partial(world.clock.advance, BEGIN_WITHIN_S))
    sweep = sweep_of(world, routers)
    with pytest.raises(Unavailable, match="1 of 2 engines"):
        sweep.sweep(now=True)
    routers.on[NODE] = on("tenant-a")
    world.clock.advance(PASS_S)
    with pytest.raises(Unavailable, match="1 of 2 engines"):
        sweep.sweep(now=True)
    sweep.sweep(now=True)
    assert "tenant-a" in world.swarm.networks


def test_an_engine_that_answers_a_tick_later_is_the_only_one_that_is_asked_again(
    world: World, routers: FakeRouters
) -> None:
    world.with_worker(OTHER)
    world.swarm.networks["tenant-a"] = ""
    routers.fail("used", Unavailable("i-0a does not answer"))
    sweep = sweep_of(world, routers)
    with pytest.raises(Unavailable, match="does not answer"):
        sweep.sweep(now=True)
    world.clock.advance(TICK_S)
    assert sweep.sweep() == ("tenant-a",)
    assert routers.calls["used"] == 3


def test_where_a_manager_is_slow_the_next_tick_removes_the_others(world: World, routers: FakeRouters) -> None:
    world.swarm.networks |= {f"tenant-{name}": "" for name in "abc"}
    world.swarm.meanwhile("remove_network", partial(world.clock.advance, BEGIN_WITHIN_S / 2))
    sweep = sweep_of(world, routers)
    assert len(sweep.sweep(now=True)) == 2
    world.clock.advance(TICK_S)
    assert len(sweep.sweep()) == 1
    assert routers.calls["used"] == 1


def test_networks_that_the_swarm_refuses_to_remove_keep_no_others(world: World, routers: FakeRouters) -> None:
    refused = {f"tenant-a{number:02}" for number in range(BUDGET)}
    world.swarm.networks |= dict.fromkeys([*refused, "tenant-b"], "")
    world.swarm.attached |= refused
    sweep = sweep_of(world, routers)
    for _ in range(20):
        sweep.sweep(now=True)
    assert set(world.swarm.networks) == refused


def test_the_schedule_looks_at_one_tick_in_ten_and_removes_some_at_a_time(world: World, routers: FakeRouters) -> None:
    world.swarm.networks |= {f"tenant-{number:02}": "" for number in range(BUDGET + 3)}
    removed = []
    for _ in range(2 * SWEEP_EVERY):
        removed.append(len(sweep_of(world, routers).sweep()))
        world.clock.advance(TICK_S)
    assert [count for count in removed if count] == [BUDGET, 3]
