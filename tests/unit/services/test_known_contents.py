"""What nodes hold is read again only where it may have changed."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import ContainerName, ContainerState
from swarmkeeper.services.known_contents import KnownContents
from tests.fakes import a_request
from tests.unit.services.world import World

NODES = ("i-0a", "i-0b", "i-0c")


def a_world(containers: int) -> World:
    world = World().with_manager()
    for node_id in NODES:
        world.with_worker(node_id)
    for number in range(containers):
        world.placer.create(a_request(f"web-{number}"))
    return world


def reads(world: World, contents: KnownContents) -> int:
    """How many nodes' containers one look at the fleet reads; what it finds is what there is."""
    before = world.store.calls["containers_on"]
    found = contents.of(world.store.nodes())
    count = world.store.calls["containers_on"] - before
    assert found == {node.id: world.store.containers_on(node.id) for node in world.store.nodes() if node.containers}
    return count


def test_what_stands_still_is_read_once() -> None:
    world = a_world(6)
    contents = KnownContents(world.store)
    assert [reads(world, contents), reads(world, contents)] == [3, 0]


def test_a_node_is_read_again_once_something_came_or_went() -> None:
    world = a_world(6)
    contents = KnownContents(world.store)
    reads(world, contents)
    world.placer.create(a_request("new"))
    assert reads(world, contents) == 1
    world.placer.remove(ContainerName("web-0"))
    assert reads(world, contents) == 1


def test_what_drains_and_what_is_not_running_yet_is_read_each_time() -> None:
    world = a_world(6)
    contents = KnownContents(world.store)
    reads(world, contents)
    world.store.save_node(replace(world.node("i-0a"), state=NodeState.DRAINING))
    assert [reads(world, contents), reads(world, contents)] == [1, 1]
    removing = next(each for each in world.store.containers_on(world.node("i-0b").id))
    world.store.begin_removal(removing)
    world.placer.create(a_request("new"))
    assert removing.state is ContainerState.RUNNING
    fresh = KnownContents(world.store)
    assert [reads(world, fresh), reads(world, fresh)] == [3, 2]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(("create", "remove", "look", "drain", "undrain")), st.integers(0, 8))))
def test_whatever_happens_it_knows_what_there_is(acts: list[tuple[str, int]]) -> None:
    world = a_world(4)
    contents = KnownContents(world.store)
    for act, number in acts:
        name, node = ContainerName(f"web-{number}"), world.node(NODES[number % 3])
        if act == "create" and world.store.container(name) is None:
            world.placer.create(a_request(name))
        elif act == "remove" and world.store.container(name) is not None:
            world.placer.remove(name)
        elif act == "drain":
            world.store.save_node(replace(node, state=NodeState.DRAINING))
        elif act == "undrain":
            world.store.save_node(replace(node, state=NodeState.READY))
        else:
            reads(world, contents)
    reads(world, contents)
