"""The loop when things go wrong: bad tokens, late agents, lost and repeated events, races."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from local.aws.disturbance import Disturbance
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import SLOTS, World

ENGINES = [
    pytest.param("simulated", marks=pytest.mark.loop),
    pytest.param("real", marks=pytest.mark.e2e),
]
COMMAND_ENDED = "EC2 Command Invocation Status-change Notification"
LAUNCH = "EC2 Instance-launch Lifecycle Action"
JOIN_TOKEN = "/demo/join-token/worker"


def overflow(world: World, count: int) -> list[str]:
    names = [f"web-{number}" for number in range(count)]
    answers = [world.request(name) for name in names]
    assert {answer["status"] for answer in answers} <= {201, 202}
    return names


@pytest.mark.parametrize("engines", ENGINES)
def test_joins_with_a_bad_token_are_abandoned_and_three_in_a_row_fail_the_pool(
    make_world: MakeWorld, engines: str
) -> None:
    world = make_world(engines)
    first = world.first_worker()
    world.client("ssm").put_parameter(Name=JOIN_TOKEN, Value="SWMTKN-1-bad-token", Type="SecureString", Overwrite=True)
    overflow(world, SLOTS + 1)

    world.wait("three abandoned launches", lambda: len(abandoned(world)) >= 3, limit_s=240)
    world.wait(
        "that the group is no longer asked for more than there is",
        lambda: world.group()["DesiredCapacity"] == 1,
        limit_s=150,
    )
    world.wait("that only the good one is left", lambda: instances(world) == [first["id"]], limit_s=60)
    world.wait("a table without the failed ones", lambda: ids(world) == {first["id"]}, limit_s=60)
    world.wait(
        "an alarm for the failed pool", lambda: alarm_state(world, "demo-workers-failed") == "ALARM", limit_s=150
    )
    launched = {str(one["EC2InstanceId"]) for one in world.passed(LAUNCH, AutoScalingGroupName="demo-workers")}
    assert launched - {first["id"]} == abandoned(world)
    waiting = [container for container in world.containers().values() if container["state"] == "pending"]
    assert len(waiting) == 1
    assert waiting[0]["reason"]


def abandoned(world: World) -> set[str]:
    return {str(detail["node"]) for detail in world.passed("Launch Abandoned")}


def alarm_state(world: World, name: str) -> str:
    return str(world.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])


def instances(world: World) -> list[str]:
    return [str(one["InstanceId"]) for one in world.group()["Instances"]]


@pytest.mark.parametrize("engines", ENGINES)
def test_a_late_agent_and_an_end_that_is_never_told_still_join(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, engines: str
) -> None:
    world = make_world(engines, agent_delay_s=15.0)
    emit = world.cloud.bus.emit

    def lose_command_ends(**event: object) -> str:
        return "lost" if event["detail_type"] == COMMAND_ENDED else emit(**event)  # type: ignore[arg-type]

    monkeypatch.setattr(world.cloud.bus, "emit", lose_command_ends)
    world.first_worker(limit_s=240)
    assert not world.passed(COMMAND_ENDED)


@pytest.mark.loop
def test_when_every_event_comes_twice_the_loop_does_everything_once(make_world: MakeWorld) -> None:
    world = make_world("simulated", disturbance=Disturbance(lag_s=(0.0, 1.0), duplicate_share=1.0, seed=7))
    first = world.first_worker()
    names = overflow(world, SLOTS + 1)
    world.wait("that all run", lambda: set(world.states().values()) == {"running"}, limit_s=120)
    listed = [node["hostname"] for node in world.cloud.engines.swarm_nodes(manager_of(world))]
    assert len(listed) == len(set(listed)) == 1 + len(world.nodes("ready"))
    assert sum(node["containers"] for node in world.nodes()) == len(names)
    assert not abandoned(world)

    for name in names:
        world.fleet.remove(name)
    gone = world.wait("a terminated worker", lambda: world.passed("EC2 Instance Terminate Successful"), limit_s=180)[0]
    world.wait("that it left the table", lambda: gone["EC2InstanceId"] not in ids(world), limit_s=60)
    assert world.group()["DesiredCapacity"] >= 1
    assert first["id"] in {node["id"] for node in world.nodes()} | {gone["EC2InstanceId"]}
    ended = {(one["instance-id"], one["document-name"], one["command-id"]) for one in world.passed(COMMAND_ENDED)}
    steps = [(node, document) for node, document, _ in ended if not str(document).endswith("-pull")]
    assert len(steps) == len(set(steps))


def ids(world: World) -> set[str]:
    return {node["id"] for node in world.nodes()}


def manager_of(world: World) -> str:
    return world.nodes("ready", role="manager")[0]["id"]


@pytest.mark.parametrize("engines", ENGINES)
def test_two_placements_that_race_for_the_last_slot_give_it_to_one(make_world: MakeWorld, engines: str) -> None:
    world = make_world(engines)
    first = world.first_worker()
    overflow(world, SLOTS - 1)
    with world.suspended("Launch"):  # the one that waits is to wait here
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(partial(World.request, world), ["racer-a", "racer-b"]))
        assert sorted(answer["status"] for answer in answers) in ([201, 202], [202, 202])
        world.wait("that one of them holds the slot", lambda: racers(world) == ["pending", "running"], limit_s=60)
        node = next(node for node in world.nodes() if node["id"] == first["id"])
        assert node["containers"] == SLOTS


def racers(world: World) -> list[str]:
    """Their states, sorted."""
    return sorted(state for name, state in world.states().items() if name.startswith("racer"))
