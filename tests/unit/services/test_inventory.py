"""The table follows the engines: what was removed, what has ended, what nobody knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import ContainerName, ContainerState, NodeId, Quota
from swarmkeeper.errors import Unavailable
from swarmkeeper.services.inventory import HAS_ENDED, LEFT_BEHIND_S, Found
from tests.fakes import a_limit, a_node, a_request
from tests.unit.services.world import IMAGE, MANAGER, World

NODE = NodeId("i-0a")
WEB = ContainerName("web-1")


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.with_worker(NODE)
    world.placer.create(a_request(WEB))
    return world


def test_an_engine_that_agrees_changes_nothing(world: World) -> None:
    before = world.store.containers()
    assert world.inventory.check(NODE) == Found(NODE)
    assert world.store.containers() == before


def test_what_was_removed_behind_our_back_is_pending_again_and_its_room_free(world: World) -> None:
    del world.engines.on(NODE).containers[WEB]
    assert world.inventory.check(NODE).gone == (WEB,)
    container = world.container()
    assert (container.state, container.reason) == (
        ContainerState.PENDING,
        "it was removed on i-0a behind the fleet's back",
    )
    assert world.node(NODE).containers == 0


def test_a_container_whose_process_has_ended_says_so_until_it_runs_again(world: World) -> None:
    world.engines.change(NODE, WEB, running=False)
    assert world.inventory.check(NODE).ended == (WEB,)
    assert (world.container().state, world.container().reason) == (ContainerState.RUNNING, HAS_ENDED)
    assert world.inventory.check(NODE) == Found(NODE)
    world.engines.change(NODE, WEB, running=True)
    assert world.inventory.check(NODE) == Found(NODE)
    assert world.container().reason == ""


def test_what_we_stop_for_a_move_is_ours(world: World) -> None:
    target = world.with_worker("i-0b")
    request = world.container().request
    moving = world.store.begin_move(world.container(), target, a_limit(target, request))
    world.engines.stop(world.node(NODE), WEB, network="fleet")
    assert world.inventory.check(NODE) == Found(NODE)
    assert world.inventory.check(target.id) == Found(target.id)
    assert world.container() == moving


def test_what_is_just_being_made_is_not_missed(world: World) -> None:
    world.engines.fail("create", Unavailable("lost"))
    world.placer.create(a_request("web-2"))
    assert world.inventory.check(NODE) == Found(NODE)


def test_an_old_copy_of_what_runs_elsewhere_is_removed(world: World) -> None:
    other = world.with_worker("i-0b")
    world.engines.start(other, world.engines.create(other, world.container().request))
    assert world.inventory.check(other.id).removed == (WEB,)
    assert world.engines.running(WEB) == [NODE]


def test_a_copy_that_never_ran_and_is_nobodys_is_removed_once_it_is_old(world: World) -> None:
    node = world.node(NODE)
    world.engines.create(node, a_request("stray"))
    world.engines.change(NODE, "stray", created_at=world.clock.now())
    assert world.inventory.check(NODE) == Found(NODE)
    world.clock.advance(LEFT_BEHIND_S)
    assert world.inventory.check(NODE).removed == ("stray",)


def test_a_copy_that_ran_and_is_nobodys_is_told_of_and_left(world: World) -> None:
    node = world.node(NODE)
    world.engines.start(node, world.engines.create(node, a_request("stray")))
    world.clock.advance(10 * LEFT_BEHIND_S)
    assert world.inventory.check(NODE).strange == ("stray",)
    assert world.engines.running("stray") == [NODE]


@pytest.mark.parametrize("state", [NodeState.JOINING, NodeState.LEAVING])
def test_a_node_on_its_way_is_not_looked_at(world: World, state: NodeState) -> None:
    world.store.add_node(a_node("i-0c", state=state))
    world.engines.lose("i-0c")
    assert world.inventory.check(NodeId("i-0c")) == Found(NodeId("i-0c"))


def test_an_unknown_node_has_nothing(world: World) -> None:
    assert world.inventory.check(NodeId("i-0d")) == Found(NodeId("i-0d"))


def test_an_engine_that_does_not_answer_is_asked_again(world: World) -> None:
    world.engines.on(NODE).reachable = False
    with pytest.raises(Unavailable):
        world.inventory.check(NODE)
    assert world.container().state is ContainerState.RUNNING


def test_the_images_that_an_engine_holds_are_known_to_placement(world: World) -> None:
    world.engines.pull(NODE, "registry.example/base:2")
    world.inventory.check(NODE)
    (content,) = world.store.contents([NODE])
    assert {tag for image in content.images for tag in image.tags} == {IMAGE, "registry.example/base:2"}


def test_images_are_noted_of_workers_that_take_or_hold_containers_only(world: World) -> None:
    draining = world.store.save_node(replace(world.node(NODE), state=NodeState.DRAINING))
    world.inventory.note_images(draining.id)
    assert world.store.contents([NODE])[0].images
    world.inventory.note_images(MANAGER)
    assert world.store.contents([MANAGER])[0].images == ()


def test_what_was_accepted_before_its_tenant_had_a_quota_counts_from_the_next_look_on(world: World) -> None:
    assert world.store.usage("acme").containers == 0
    world.quota_of = lambda tenant: Quota(containers=5)
    world.inventory.check(NODE)
    world.inventory.check(NODE)
    assert world.store.usage("acme").containers == 1
