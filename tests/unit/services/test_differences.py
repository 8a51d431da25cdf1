"""Each difference is created, and named by a tick in the table's word for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import ContainerName, NodeId
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import RESERVATION_LEASE_S, Event
from swarmkeeper.services.differences import BUDGET, LONG_S, RULES, Difference, asked_by
from tests.fakes import a_request
from tests.unit.services.world import World

NODE, NEW = NodeId("i-0a"), NodeId("i-0b")


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.with_worker(NODE)
    return world


def instance_waits(world: World) -> str:
    world.launch(NEW)
    return NEW


def node_is_joining(world: World) -> str:
    waiting = world.launch(NEW)
    world.commands.register(NEW)
    world.registrar.launching(waiting)
    return NEW


def node_is_suspected(world: World) -> str:
    world.store.save_node(replace(world.node(NODE), suspected_at=world.clock.now()))
    return NODE


def instance_vanishes(world: World) -> str:
    world.fleet.vanish(NODE)
    return NODE


def node_is_buried(world: World) -> str:
    world.store.bury_node(world.node(NODE), expires_at=world.clock.now() + 1000)
    return NODE


def placement_dies(world: World) -> str:
    world.store.fail("confirm", Unavailable("the function was killed"))
    world.placer.create(a_request("web-1"))
    world.clock.advance(RESERVATION_LEASE_S + 1)
    return "web-1"


def removal_dies(world: World) -> str:
    world.placer.create(a_request("web-1"))
    world.engines.fail("remove", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        world.placer.remove(ContainerName("web-1"))
    return "web-1"


def swarm_shows_it_down(world: World) -> str:
    world.swarm.go_down(NODE)
    return NODE


def swarm_has_a_ghost(world: World) -> str:
    world.swarm.join(NEW)
    world.swarm.go_down(NEW)
    return NEW


def request_waits(world: World) -> str:
    world.store.save_node(replace(world.node(NODE), state=NodeState.DRAINING))
    world.placer.create(a_request("web-1"))
    world.clock.advance(LONG_S + 1)
    return "web-1"


@pytest.mark.parametrize(
    ("difference", "cause"),
    [
        pytest.param(Difference.STUCK_HOOK, instance_waits, id="stuck hook"),
        pytest.param(Difference.NODE_ON_ITS_WAY, node_is_joining, id="node on its way"),
        pytest.param(Difference.NODE_IN_DOUBT, node_is_suspected, id="node in doubt"),
        pytest.param(Difference.NODE_WITHOUT_INSTANCE, instance_vanishes, id="node without instance"),
        pytest.param(Difference.INSTANCE_WITHOUT_NODE, node_is_buried, id="instance without node"),
        pytest.param(Difference.NODE_DOWN, swarm_shows_it_down, id="node down"),
        pytest.param(Difference.GHOST_NODE, swarm_has_a_ghost, id="ghost node"),
        pytest.param(Difference.STUCK_PENDING, request_waits, id="stuck pending"),
        pytest.param(Difference.LEAKED_RESERVATION, placement_dies, id="leaked reservation"),
        pytest.param(Difference.STUCK_REMOVAL, removal_dies, id="stuck removal"),
    ],
)
def test_a_tick_names_what_differs(world: World, difference: Difference, cause: Callable[[World], str]) -> None:
    where = cause(world)
    assert where in world.reconciler.nudge().found[difference]


def test_a_fleet_that_is_as_it_should_be_has_no_differences(world: World) -> None:
    world.placer.create(a_request("web-1"))
    assert world.reconciler.nudge().found == {}


def test_what_one_tick_may_not_ask_for_the_next_ones_do() -> None:
    many = {Difference.STUCK_HOOK: [f"i-{number:04d}" for number in range(2 * BUDGET + 7)]}
    turns = [asked_by(Event.MEMBERSHIP_CHECK, many, turn=turn) for turn in range(3)]
    assert [len(asked) for asked in turns] == [BUDGET] * 3
    assert {each for asked in turns for each in asked} == set(many[Difference.STUCK_HOOK])


def test_the_safest_are_asked_for_first_and_nobody_twice() -> None:
    found = {
        Difference.GHOST_NODE: ["i-0a"],
        Difference.NODE_ON_ITS_WAY: ["i-0c", "i-0b"],
        Difference.STUCK_HOOK: ["i-0b"],
    }
    assert asked_by(Event.MEMBERSHIP_CHECK, found) == ["i-0c", "i-0b", "i-0a"]


def test_a_look_on_demand_compares_every_engine(world: World) -> None:
    workers = [NODE, *(f"i-1{number}" for number in range(5))]
    for worker in workers[1:]:
        world.with_worker(worker)
    assert set(world.reconciler.nudge(every_engine=True).inventories) == set(workers)
    assert set(world.reconciler.nudge().inventories) < set(workers)


def test_every_difference_has_one_rule() -> None:
    assert sorted(rule.difference for rule in RULES) == sorted(Difference)


def test_the_operators_page_lists_every_difference_in_the_tables_order() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
    chapter = page.partition("\n## What the reconciler looks for\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(.+?)` \|", chapter, flags=re.MULTILINE) == [rule.difference for rule in RULES]
