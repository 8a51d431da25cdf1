"""More containers on one overlay network than a /24 has addresses: they really run, and resolve each other by name."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from swarmkeeper.cli.bench.figures import machine, tell
from swarmkeeper.cli.bench.ground import Ground, as_node, body_of, local_fleet, wait
from swarmkeeper.cli.fleet import NodeView
from swarmkeeper.cli.output import notice

AT_ONCE = 8
MEMORY_BYTES = 16 * 2**20
RUN_LIMIT_S = 1_800.0
ENDPOINTS_OF_24 = 254
LOOKS = 5
ASK = "for name in {names}; do ping -c 1 -w 5 $name >/dev/null 2>&1 && echo $name; done; true"


def overlay(
    containers: Annotated[int, typer.Option(min=1, max=1_500, help="Containers on the one network.")] = 300,
    workers: Annotated[int, typer.Option(min=1, max=8, help="Real engines that share them.")] = 2,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--output", help="Write the figures to a file as well.")] = None,
) -> None:
    """Run containers through the whole local cloud, then have one on each node look up and reach all the others."""
    slots = -(-containers // workers) + 1
    with local_fleet(workers=workers, slots=slots) as ground:
        names = [f"web-{number}" for number in range(containers)]
        begun = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            statuses = list(pool.map(lambda name: _create(ground, name), names))
        wait(f"{containers} running containers", lambda: _running(ground) == set(names), RUN_LIMIT_S)
        took_s = time.perf_counter() - begun
        notice("looking all of them up")
        looked = {node["id"]: _reached_from(ground, node, names) for node in ground.nodes("worker")}
        figures = {
            "containers": containers,
            "workers": workers,
            "running": len(_running(ground)),
            "answers": {str(status): statuses.count(status) for status in sorted(set(statuses))},
            "beyond_a_24": max(0, containers - ENDPOINTS_OF_24),
            "resolved_and_reached": {node: sum(rounds) for node, rounds in looked.items()},
            "at_the_first_look": {node: rounds[0] for node, rounds in looked.items()},
            "containers_per_s": containers / took_s,
            **machine(),
        }
    tell(figures, as_json=json, output=out)
    if any(sum(rounds) != containers for rounds in looked.values()):
        raise typer.Exit(1)


def _create(ground: Ground, name: str) -> int:
    return ground.fleet.create(body_of(name, ground.image, ["sleep", "7200"], memory_bytes=MEMORY_BYTES))["status"]


def _running(ground: Ground) -> set[str]:
    return {each["name"] for each in ground.fleet.list()["containers"] if each["state"] == "running"}


def _reached_from(ground: Ground, node: NodeView, names: list[str]) -> list[int]:
    """How many of the names resolve to a container that answers, asked in a container of the node.

    One number a look, each at those that the looks before it have missed: news of a container takes a moment to
    reach every engine.
    """
    asking = next(each["name"] for each in ground.fleet.list()["containers"] if each["node"] == node["id"])
    clients, missing = ground.engines(), set(names)
    found: list[int] = []
    while missing and len(found) < LOOKS:
        with clients.calling(as_node(node), "exec") as engine:
            made = engine.exec_create(asking, ["sh", "-c", ASK.format(names=" ".join(sorted(missing)))])
            heard = set(engine.exec_start(made["Id"]).decode().split()) & missing
        found.append(len(heard))
        missing -= heard
    clients.close()
    return found
