"""The placement function's calls and events, through its handler."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from functions.placement import handler as placement
from functions.placement.needs import telling_states
from swarmkeeper.domain.model import ContainerName, ContainerState, NodeId
from swarmkeeper.edge.settings import Settings, load_settings
from swarmkeeper.errors import Contention, InvalidInput, SwarmkeeperError, Unavailable
from swarmkeeper.ports import CommandStatus, Event
from swarmkeeper.services.needs import NEED_WINDOW_S
from swarmkeeper.services.pending import BEGIN_WITHIN_S
from tests.fakes import a_request
from tests.fakes.routers import FakeRouters
from tests.functions.placement_parts import wired_over
from tests.functions.recorded import Context, recorded
from tests.unit.services.world import IMAGE, World

ROOT = Path(__file__).parents[2]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "demo")  # as the template does; it must not become a dimension
    world = World().with_manager()
    wired = wired_over(world)
    monkeypatch.setattr(placement, "wired", lambda: wired)
    return world


def call(**event: Any) -> dict[str, Any]:
    return placement.handler(event, Context())


def create(name: str = "web-1", **parts: Any) -> dict[str, Any]:
    return call(action="create", request={"Name": name, "Image": IMAGE, **parts})


def metric_lines(text: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


def test_create_answers_201_with_the_running_container(world: World) -> None:
    world.with_worker("i-0a")
    answer = create()
    assert (answer["status"], answer["container"]["state"], answer["container"]["node"]) == (201, "running", "i-0a")


def test_create_without_room_answers_202_with_the_reason_and_emits_the_pending_metric(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = create()
    assert (answer["status"], answer["container"]["state"]) == (202, "pending")
    assert answer["container"]["reason"]
    taken, metric = metric_lines(capsys.readouterr().out)
    assert taken["Fleet"] == "demo"
    assert 0 < taken["PlacementTime"][0] < 60
    assert (metric["Fleet"], metric["PendingContainers"]) == ("demo", [1.0])
    (directive,) = metric["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Fleet"]]
    assert directive["Metrics"][0]["StorageResolution"] == 1


def test_a_request_that_waits_tells_the_scaler_at_once(world: World) -> None:
    create()
    create("web-2")
    assert world.events.of(Event.CAPACITY_NEEDED) == [{"fleet": "demo"}]


def test_a_request_that_is_placed_tells_the_scaler_nothing(world: World) -> None:
    world.with_worker("i-0a")
    create()
    assert world.events.of(Event.CAPACITY_NEEDED) == []


def test_what_still_waits_after_a_retry_tells_the_scaler_again(world: World) -> None:
    create()
    world.clock.advance(NEED_WINDOW_S)
    placement.handler(recorded("pending_retry"), Context())
    assert len(world.events.of(Event.CAPACITY_NEEDED)) == 2


@pytest.mark.parametrize("fault", [Unavailable("no answer"), Contention("two writers met")])
def test_a_need_that_cannot_be_told_does_not_fail_the_request(world: World, fault: SwarmkeeperError) -> None:
    world.events.fail("publish", fault)
    assert create()["status"] == 202
    assert world.container().state is ContainerState.PENDING


@pytest.mark.parametrize(
    ("scaling", "states"),
    [
        pytest.param({}, {"pending"}, id="by default, when it waits"),
        pytest.param({"capacity_events": False}, set(), id="turned off"),
        pytest.param(
            {"arrival_headroom": {}}, {"pending", "reserved", "running"}, id="headroom that follows arrivals: always"
        ),
    ],
)
def test_the_settings_say_what_tells_the_scaler(scaling: dict[str, Any], states: set[str]) -> None:
    given = load_settings(ROOT / "swarmkeeper.demo.yaml").model_dump(mode="json")
    given["scaling"] = scaling
    assert {state.value for state in telling_states(Settings.model_validate(given))} == states


@pytest.mark.parametrize(
    ("event", "field"),
    [
        pytest.param({"action": "fly"}, "action", id="unknown action"),
        pytest.param({}, "action", id="no action"),
        pytest.param({"action": "remove"}, "remove.name", id="no name"),
        pytest.param({"action": "create", "request": {"Image": "x"}}, "Name", id="request without a name"),
        pytest.param(
            {"action": "create", "request": {"Name": "web", "Image": "x", "HostConfig": {"Privileged": True}}},
            "HostConfig.Privileged",
            id="refused option",
        ),
    ],
)
def test_bad_calls_answer_400_with_the_field(world: World, event: dict[str, Any], field: str) -> None:
    answer = call(**event)
    assert (answer["status"], answer["error"]["field"]) == (400, field)


def test_a_name_in_use_answers_409(world: World) -> None:
    world.with_worker("i-0a")
    create()
    assert create(Env=["OTHER=1"])["status"] == 409


def test_remove_answers_200_once_and_404_afterwards(world: World) -> None:
    world.with_worker("i-0a")
    create()
    assert [call(action="remove", name="web-1")["status"] for _ in range(2)] == [200, 404]


def test_list_tells_of_containers_and_nodes(world: World) -> None:
    world.with_worker("i-0a")
    create()
    answer = call(action="list")
    assert [each["name"] for each in answer["containers"]] == ["web-1"]
    assert {each["id"]: each["containers"] for each in answer["nodes"]}["i-0a"] == 1


def test_explain_says_why_not_and_changes_nothing(world: World) -> None:
    world.with_worker("i-0a", slots=0)
    answer = call(action="explain", request={"Name": "web-1", "Image": IMAGE})
    assert answer["decision"]["chosen"] is None
    assert answer["decision"]["refused"]["i-0a"]["reason"] == "containerslots"
    assert world.store.pending() == ()


def test_node_ready_places_what_waits_and_tells_that_nothing_waits_any_more(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    create()
    world.with_worker("i-0a")
    capsys.readouterr()
    placement.handler(recorded("node_ready"), Context())
    assert world.engines.running("web-1") == ["i-0a"]
    (metric,) = metric_lines(capsys.readouterr().out)
    assert metric["PendingContainers"] == [0.0]


def test_another_fleets_event_is_harmless(world: World) -> None:
    create()
    world.with_worker("i-0a")
    assert "ignored" in placement.handler(recorded("node_ready", fleet="other"), Context())
    assert world.engines.made == 0


@pytest.mark.parametrize("document", ["demo-node-pull", "demo-node-pull-windows"])
def test_the_end_of_a_pull_goes_on_with_the_container(world: World, document: str) -> None:
    node = "i-0123456789abcdef0"
    world.with_worker(node)
    world.engines.on(node).images.clear()
    create()
    world.engines.pull(node, IMAGE)
    pulled = recorded("csr_succeeded", **{"document-name": document, "command-id": world.commands.sent[0].id})
    placement.handler(pulled, Context())
    container = world.store.container(ContainerName("web-1"))
    assert container is not None
    assert container.state is ContainerState.RUNNING


def test_a_command_that_is_still_running_or_anothers_is_ignored(world: World) -> None:
    for changes in (
        {"status": "InProgress", "document-name": "demo-node-pull"},
        {"document-name": "AWS-RunShellScript"},
    ):
        assert "ignored" in placement.handler(recorded("csr_succeeded", **changes), Context())


def test_an_event_for_somebody_else_raises_with_its_field(world: World) -> None:
    with pytest.raises(InvalidInput, match="detail-type"):
        placement.handler(recorded("schedule"), Context())


def test_an_engine_that_took_long_to_look_at_leaves_no_time_for_what_waits(world: World) -> None:
    create("web-1")
    world.with_worker("i-0123456789abcdef0")
    world.engines.meanwhile("containers", partial(world.clock.advance, BEGIN_WITHIN_S + 1))
    outcome = placement.handler(recorded("container_ended"), Context())
    assert (outcome["still_pending"], world.engines.made) == (1, 0)
    world.engines.meanwhile("containers", lambda: None)
    assert placement.handler(recorded("container_ended"), Context())["still_pending"] == 0


@pytest.mark.parametrize("name", ["container_ended", "inventory_due"])
def test_a_nodes_word_has_its_engine_looked_at_and_what_waits_tried(
    world: World, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    node = "i-0123456789abcdef0"
    world.with_worker(node, slots=1)
    create("web-1")
    create("web-2")
    del world.engines.on(node).containers[ContainerName("web-1")]
    capsys.readouterr()
    outcome = placement.handler(recorded(name), Context())
    assert (outcome["node"], outcome["gone"], outcome["still_pending"]) == (node, ("web-1",), 1)
    (metric,) = metric_lines(capsys.readouterr().out)
    assert metric["PendingContainers"] == [1.0]
    assert len(world.engines.on(node).containers) == 1


def test_a_router_follows_its_nodes_tenants_and_leaves_networks_on_the_schedules_look_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, routers = NodeId("i-0123456789abcdef0"), FakeRouters()
    wired = wired_over(world, routers=routers)
    monkeypatch.setattr(placement, "wired", lambda: wired)
    world.with_worker(node)
    world.placer.create(replace(a_request("web-1", cpus=0.1, memory_mib=8), network="tenant-a"))
    routers.on[node] = frozenset({"fleet", "tenant-b"})
    assert placement.handler(recorded("container_ended"), Context())["router_attached"] == ("tenant-a",)
    assert routers.on[node] == frozenset({"fleet", "tenant-a", "tenant-b"})
    assert placement.handler(recorded("inventory_due"), Context())["router_left"] == ("tenant-b",)
    routers.on[node] = frozenset({"fleet"})
    placement.handler(recorded("node_ready"), Context())
    assert routers.on[node] == frozenset({"fleet", "tenant-a"})


def test_an_inventory_without_a_node_raises_with_its_field(world: World) -> None:
    with pytest.raises(InvalidInput, match=r"detail\.node"):
        placement.handler(recorded("inventory_due", node=None), Context())


def test_a_pull_that_failed_is_told_in_the_reason(world: World) -> None:
    node = "i-0123456789abcdef0"
    world.with_worker(node)
    world.engines.on(node).images.clear()
    create()
    sent = world.commands.sent[0].id
    world.commands.finish(sent, error="manifest unknown", status=CommandStatus.FAILED)
    detail = {"document-name": "demo-node-pull", "command-id": sent, "status": "Failed"}
    placement.handler(recorded("csr_succeeded", **detail), Context())
    container = world.container()
    assert container.state is ContainerState.PENDING
    assert "manifest unknown" in container.reason


def test_the_end_of_a_pull_that_nobody_claimed_lets_all_who_wait_there_try(world: World) -> None:
    node = "i-0123456789abcdef0"
    world.with_worker(node)
    world.engines.on(node).images.clear()
    create()
    world.engines.pull(node, IMAGE)
    pulled = recorded("csr_succeeded", **{"document-name": "demo-node-pull", "command-id": "somebody-elses"})
    placement.handler(pulled, Context())
    assert world.container().state is ContainerState.RUNNING
