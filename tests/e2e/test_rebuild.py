"""The table is lost: the command makes it anew from what lives, and life goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from local import starter
from swarmkeeper.cli.main import app
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import SLOTS, World

KEPT_OF_NODES = ("id", "pool", "role", "state", "address", "reserved", "capacity", "containers", "slots")
KEPT_OF_CONTAINERS = ("name", "state", "node", "image", "tenant", "reason")


@pytest.fixture(params=[pytest.param("simulated", marks=pytest.mark.loop), pytest.param("real", marks=pytest.mark.e2e)])
def world(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[World]:
    made = make_world(request.param)
    described = made.cloud.describe(pid=0, now=0.0)
    monkeypatch.setattr(starter, "running_cloud", lambda: described)
    for name in ("SWARMKEEPER_FLEET", "SWARMKEEPER_API"):
        monkeypatch.delenv(name, raising=False)
    yield made


def rebuilt() -> dict[str, Any]:
    done = CliRunner().invoke(app, ["state", "rebuild", "--json"])
    assert done.exit_code == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def lose_the_table(world: World) -> None:
    client, table = world.client("dynamodb"), f"{world.cloud.settings.fleet}-state"
    for page in client.get_paginator("scan").paginate(TableName=table, ProjectionExpression="pk, sk"):
        for item in page["Items"]:
            client.delete_item(TableName=table, Key=item)


def standing(world: World) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Nodes and containers as the table has them, without their ages."""
    listed = world.fleet.list()
    nodes = [{key: node.get(key) for key in KEPT_OF_NODES} for node in listed["nodes"]]
    containers = [{key: one.get(key) for key in KEPT_OF_CONTAINERS} for one in listed["containers"]]
    return sorted(nodes, key=str), sorted(containers, key=str)


def test_the_table_is_made_anew_and_life_goes_on(world: World) -> None:
    world.first_worker()
    names = [f"web-{number}" for number in range(SLOTS - 1)]
    for name in names:
        assert world.request(name)["status"] in (201, 202)
    world.wait("that all run", lambda: set(world.states().values()) == {"running"}, limit_s=150)
    before = standing(world)

    with world.unscheduled():  # a look of the reconciler's would heal some of it first
        lose_the_table(world)
        assert standing(world) == ([], [])
        found = rebuilt()
    assert found["counted_nodes"] == {"rebuilt": len(before[0])}
    assert found["counted_containers"] == {"rebuilt": len(names)}
    assert standing(world) == before
    again = rebuilt()
    assert (again["counted_nodes"], again["counted_containers"]) == (
        {"already there": len(before[0])},
        {"already there": len(names)},
    )
    assert standing(world) == before

    assert world.request(names[0])["status"] == 201, "the same request again finds its container"
    assert world.request("after-0")["status"] == 201
    world.wait("that it runs", lambda: world.states().get("after-0") == "running", limit_s=60)
    for name in (*names, "after-0"):
        assert world.fleet.remove(name)["status"] == 200
    world.wait("that nothing is held", lambda: all(node["containers"] == 0 for node in world.nodes()), limit_s=60)
    assert [(node["reserved"]["cpus"], node["reserved"]["memory_bytes"]) for node in world.nodes()] == [(0, 0)]
    assert world.containers() == {}
