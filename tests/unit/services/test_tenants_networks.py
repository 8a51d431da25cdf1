"""Routers follow their nodes' tenants, and networks without anybody go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NodeId
from swarmkeeper.errors import Unavailable
from swarmkeeper.services.network_sweep import BUDGET, SWEEP_EVERY, TICK_S, NetworkSweep
from swarmkeeper.services.router_upkeep import AT_ONCE, RouterUpkeep, Upkept
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
    return RouterUpkeep(store=world.store, routers=routers)


def sweep_of(world: World, routers: FakeRouters) -> NetworkSweep:
    return NetworkSweep(
        store=world.store, managers=world.managers, swarm=world.swarm, routers=routers, clock=world.clock
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


def test_the_schedule_looks_at_one_tick_in_ten_and_removes_some_at_a_time(world: World, routers: FakeRouters) -> None:
    world.swarm.networks |= {f"tenant-{number:02}": "" for number in range(BUDGET + 3)}
    removed = []
    for _ in range(2 * SWEEP_EVERY):
        removed.append(len(sweep_of(world, routers).sweep()))
        world.clock.advance(TICK_S)
    assert [count for count in removed if count] == [BUDGET, 3]
