"""The steps of a join: each with its limit, taken again a bounded number of times, and undone whole when given up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from swarmkeeper.domain.joining import SPREAD_MOST_S, JoinLimits, spread_s
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NodeId, PoolName, Role
from swarmkeeper.errors import AgentNotReady, Unavailable
from swarmkeeper.ports import Command, Event
from swarmkeeper.services.progress import Progress
from tests.fakes.certificates import SIGNING_REQUEST
from tests.fakes.fleet import Completion
from tests.unit.services.world import LAUNCH_LIMIT_S, World

NODE = NodeId("i-0000000000000000b")
BASE, LARGE = "registry.example/base:1", "registry.example/large:2"
LIMITS = JoinLimits()


@pytest.fixture
def world() -> World:
    return World().with_manager()


def with_images(world: World, *images: str) -> World:
    name = PoolName("workers")
    world.plans[name] = replace(world.plans[name], images=images)
    return world


def launched(world: World) -> Progress:
    waiting = world.launch(NODE)
    world.commands.register(NODE)
    return world.registrar.launching(waiting)


def joining(world: World) -> None:
    """The join command has been sent."""
    launched(world)
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    world.registrar.advance(NODE)


def joined(world: World, *, ready: bool = True) -> Progress:
    """The join command has succeeded; with a Swarm that shows the node or not."""
    joining(world)
    listed = world.swarm.join(NODE, ready=ready)
    world.end_command(Command.JOIN, output=json.dumps({"node_id": listed.id}))
    return world.registrar.advance(NODE)


def pull_ends(world: World, *, fails: bool = False) -> Progress:
    sent = world.commands.last(Command.PULL)
    world.end_command(Command.PULL, fails=fails)
    if not fails:
        world.engines.pull(NODE, sent.parameters["image"])
    return world.registrar.pull_ended(NODE, sent.id)


def test_images_of_the_pool_are_pulled_one_by_one_before_the_node_is_called_ready(world: World) -> None:
    with_images(world, BASE, LARGE)
    assert joined(world).state is NodeState.JOINED
    assert pull_ends(world).state is NodeState.JOINED
    assert world.fleet.completions == []
    assert pull_ends(world).state is NodeState.READY
    assert world.fleet.completions == [Completion(NODE, "join", proceed=True)]
    pulled = [sent.parameters["image"] for sent in world.commands.sent if sent.command is Command.PULL]
    assert pulled == [BASE, LARGE]


def test_an_image_that_the_machine_image_holds_already_is_not_pulled(world: World) -> None:
    with_images(world, BASE)
    world.engines.pull(NODE, BASE)
    assert joined(world).state is NodeState.READY


def test_an_image_that_can_not_be_pulled_ends_the_join_with_the_nodes_words(world: World) -> None:
    with_images(world, BASE)
    joined(world)
    assert pull_ends(world, fails=True).state is NodeState.JOINED
    assert pull_ends(world, fails=True).state is NodeState.GONE
    assert world.node(NODE).reason.startswith(f"node-pull {BASE} failed 2 times: it broke")


def test_an_image_that_is_still_missing_after_its_pull_is_not_pulled_for_ever(world: World) -> None:
    with_images(world, BASE)
    joined(world)
    for _ in range(2):
        world.end_command(Command.PULL)
        last = world.registrar.advance(NODE)
    assert last.state is NodeState.GONE
    assert "yet the engine says that it lacks it" in world.node(NODE).reason


def test_a_node_that_is_not_shown_right_after_a_long_pull_has_time_to_come_back(world: World) -> None:
    name = PoolName("workers")
    world.plans[name] = replace(world.plans[name], images=(BASE,), launch_limit_s=7200.0)
    joined(world)
    world.clock.advance(LIMITS.image_s - 1)
    world.swarm.go_down(NODE)
    with pytest.raises(Unavailable, match="not yet ready"):
        pull_ends(world)
    world.clock.advance(LIMITS.ready_s + 2)
    assert world.registrar.advance(NODE).state is NodeState.GONE
    assert "it does not stay ready" in world.node(NODE).reason


def test_the_end_of_a_pull_on_a_node_in_service_is_none_of_the_joins(world: World) -> None:
    node = world.with_worker("i-0000000000000000c")
    assert world.registrar.pull_ended(node.id, "command-9").detail == "ignored: no pull of a join"


def test_an_agent_that_never_registers_ends_the_join_in_time_to_try_another_instance(world: World) -> None:
    waiting = world.launch(NODE)
    with pytest.raises(AgentNotReady):
        world.registrar.launching(waiting)
    world.clock.advance(LIMITS.agent_s - 1)
    with pytest.raises(AgentNotReady):
        world.registrar.advance(NODE)
    world.clock.advance(2)
    assert world.registrar.advance(NODE).state is NodeState.GONE
    assert world.node(NODE).reason.startswith("not commanded within 300 s")


def test_a_join_that_the_swarm_does_not_show_is_sent_once_more_and_then_given_up(world: World) -> None:
    with pytest.raises(Unavailable, match="not yet ready"):
        joined(world, ready=False)
    assert world.node(NODE).state is NodeState.JOINED
    world.clock.advance(LIMITS.ready_s + 1)
    assert world.registrar.advance(NODE).state is NodeState.JOINING
    world.end_command(Command.JOIN, output="{}")
    with pytest.raises(Unavailable):
        world.registrar.advance(NODE)
    world.clock.advance(LIMITS.ready_s + 1)
    assert world.registrar.advance(NODE).state is NodeState.GONE
    assert "node-join failed 2 times" in world.node(NODE).reason


def test_a_command_has_the_time_of_its_own_step(world: World) -> None:
    joining(world)
    world.clock.advance(LIMITS.join_s - 1)
    assert world.registrar.advance(NODE).detail == "node-join is still running"
    world.clock.advance(2)
    world.registrar.advance(NODE)
    assert world.commands.last(Command.JOIN).id == "command-3"


def test_a_step_whose_engine_does_not_answer_is_waited_for(world: World) -> None:
    with_images(world, BASE)
    world.engines.on(NODE).silent = True
    with pytest.raises(Unavailable):
        joined(world)
    world.engines.on(NODE).silent = False
    assert world.registrar.advance(NODE).state is NodeState.JOINED


def test_labels_name_pool_zone_type_lifecycle_image_and_what_the_pool_adds(world: World) -> None:
    name = PoolName("workers")
    plan = world.plans[name]
    world.plans[name] = replace(plan, pool=replace(plan.pool, labels={"disk": "ssd"}))
    world.fleet.machine_image = "ami-0123456789abcdef0"
    joined(world)
    wanted = {
        "pool": "workers",
        "zone": "eu-central-1a",
        "instance-type": "t3.small",
        "lifecycle": "on-demand",
        "ami": "ami-0123456789abcdef0",
        "disk": "ssd",
    }
    assert wanted.items() <= world.node(NODE).labels.items()
    assert wanted.items() <= world.swarm.labels[world.node(NODE).swarm_id].items()


@pytest.mark.parametrize(
    ("nodes", "attempt", "spread"),
    [
        pytest.param(1, 1, 0, id="one alone"),
        pytest.param(5, 1, 0, id="a few"),
        pytest.param(30, 1, 5, id="a crowd"),
        pytest.param(1000, 1, SPREAD_MOST_S, id="as many as there may be"),
        pytest.param(1, 2, 5, id="again"),
    ],
)
def test_joins_are_spread_the_more_of_them_there_are(nodes: int, attempt: int, spread: int) -> None:
    assert spread_s(nodes, attempt) == spread


def test_a_node_of_a_crowd_is_told_to_pick_its_moment(world: World) -> None:
    for number in range(40):
        world.commands.register(f"i-000000000000001{number:02}")
        world.registrar.launching(world.launch(f"i-000000000000001{number:02}"))
    joining(world)
    assert int(world.commands.last(Command.JOIN).parameters["spread"]) == round((41 - 5) * 0.2)


def not_launched(world: World) -> None:
    with pytest.raises(AgentNotReady):
        world.registrar.launching(world.launch(NODE))


def not_shown(world: World) -> None:
    with pytest.raises(Unavailable):
        joined(world, ready=False)


def pulling(world: World) -> None:
    with_images(world, BASE)
    joined(world)
    world.swarm.go_down(NODE)  # with its instance


STEPS: dict[str, Callable[[World], object]] = {
    "launching": not_launched,
    "certifying": launched,
    "joining": joining,
    "not shown ready": not_shown,
    "pulling": pulling,
}


@pytest.mark.parametrize("step", STEPS)
def test_a_join_that_is_given_up_at_any_step_leaves_nothing(world: World, step: str) -> None:
    STEPS[step](world)
    world.clock.advance(LAUNCH_LIMIT_S)
    assert world.registrar.advance(NODE).state is NodeState.GONE
    assert world.fleet.completions == [Completion(NODE, "join", proceed=False)]
    assert [node.id for node in world.store.nodes() if node.id == NODE] == []
    assert [listed for listed in world.swarm.listed.values() if listed.host_name == NODE] == []
    assert [world.store.fact(f"{kind}/{NODE}") for kind in ("signing-request", "certificate")] == [None, None]
    assert [detail["node"] for detail in world.events.of(Event.LAUNCH_ABANDONED)] == [NODE]
    assert world.store.scaling(PoolName("workers")).abandoned_in_a_row == 1


@pytest.mark.parametrize("step", STEPS)
def test_whatever_comes_after_a_join_was_given_up_changes_nothing(world: World, step: str) -> None:
    STEPS[step](world)
    world.clock.advance(LAUNCH_LIMIT_S)
    world.registrar.advance(NODE)
    before = (len(world.commands.sent), world.fleet.completions[:])
    for command_id in ("command-1", "command-2", "command-3"):
        world.registrar.command_ended(NODE, command_id)
        world.registrar.pull_ended(NODE, command_id)
    assert (len(world.commands.sent), world.fleet.completions) == before
    assert world.node(NODE).state is NodeState.GONE


def test_a_manager_publishes_tokens_and_makes_the_network_before_it_serves() -> None:
    world = World()
    world.join(NODE, group="demo-managers", role=Role.MANAGER)
    assert world.tokens.current == world.swarm.tokens
