"""Each difference is created, and named by a tick in the table's word for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from swarmkeeper.domain.model import ContainerName, NodeId
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import RESERVATION_LEASE_S
from swarmkeeper.services.differences import RULES, Difference
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


@pytest.mark.parametrize(
    ("difference", "cause"),
    [
        pytest.param(Difference.STUCK_HOOK, instance_waits, id="stuck hook"),
        pytest.param(Difference.NODE_ON_ITS_WAY, node_is_joining, id="node on its way"),
        pytest.param(Difference.NODE_IN_DOUBT, node_is_suspected, id="node in doubt"),
        pytest.param(Difference.NODE_WITHOUT_INSTANCE, instance_vanishes, id="node without instance"),
        pytest.param(Difference.INSTANCE_WITHOUT_NODE, node_is_buried, id="instance without node"),
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


def test_every_difference_has_one_rule() -> None:
    assert sorted(rule.difference for rule in RULES) == sorted(Difference)


def test_the_operators_page_lists_every_difference_in_the_tables_order() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
    chapter = page.partition("\n## What the reconciler looks for\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(.+?)` \|", chapter, flags=re.MULTILINE) == [rule.difference for rule in RULES]
