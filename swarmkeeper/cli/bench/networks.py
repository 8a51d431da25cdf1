"""How many networks of tenants one node's router is on, and how long each takes to make and to attach."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from swarmkeeper.adapters.engine import DockerSwarm, EngineClients
from swarmkeeper.cli.bench.figures import machine, tell
from swarmkeeper.cli.bench.ground import as_node, local_fleet
from swarmkeeper.cli.output import notice
from swarmkeeper.domain.model import Node
from swarmkeeper.errors import SwarmkeeperError

ROUTER = "node-router-1"
SHOWN = 10
"""Networks of which a median is told, at the beginning and at the end."""


def networks(
    most: Annotated[int, typer.Option("--networks", min=SHOWN, max=1_000, help="Networks to try.")] = 100,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--output", help="Write the figures to a file as well.")] = None,
) -> None:
    """Have the Swarm make networks and one node's router be attached to each, until one of them fails."""
    with local_fleet(workers=1, slots=4) as ground:
        manager, worker = (as_node(ground.nodes(role)[0]) for role in ("manager", "worker"))
        clients = ground.engines()
        made: list[Taken] = []
        refused = ""
        try:
            for number, taken in enumerate(_attached(clients, manager, worker, most), start=1):
                made.append(taken)
                if number % SHOWN == 0:
                    notice(f"{number} networks")
        except SwarmkeeperError as error:
            refused = str(error)
        clients.close()
    tell({**_figures(made), "asked_for": most, "refused": refused, **machine()}, as_json=json, output=out)


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of one network."""

    made_s: float
    attached_s: float


def _attached(clients: EngineClients, manager: Node, worker: Node, most: int) -> Iterator[Taken]:
    swarm = DockerSwarm(clients)
    for number in range(most):
        name, began = f"tenant-{number}", time.perf_counter()
        swarm.ensure_network(manager, name, None)
        made = time.perf_counter()
        with clients.calling(worker, "attach the router") as engine:
            engine.connect_container_to_network(ROUTER, name)
        yield Taken(made - began, time.perf_counter() - made)


def _figures(made: Sequence[Taken]) -> dict[str, object]:
    first, last = made[:SHOWN], made[-SHOWN:]
    took_s = sum(each.made_s + each.attached_s for each in made)
    return {
        "networks": len(made),
        "networks_per_s": len(made) / took_s if made else 0.0,
        "made_ms_first": 1e3 * median(each.made_s for each in first) if first else 0.0,
        "made_ms_last": 1e3 * median(each.made_s for each in last) if last else 0.0,
        "attached_ms_first": 1e3 * median(each.attached_s for each in first) if first else 0.0,
        "attached_ms_last": 1e3 * median(each.attached_s for each in last) if last else 0.0,
    }
