"""How many networks of tenants a node's router is on, how fast they come, how many containers one holds.

And how the router comes back onto all of them after it was restarted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from swarmkeeper.adapters.engine import DockerSwarm, EngineClients
from swarmkeeper.cli.bench.figures import machine, tell
from swarmkeeper.cli.bench.ground import Ground, as_node, body_of, local_fleet, wait
from swarmkeeper.cli.output import notice
from swarmkeeper.domain.model import Node
from swarmkeeper.errors import SwarmkeeperError

ROUTER = "node-router-1"
SHOWN = 10
"""Networks of which a median is told, at the beginning and at the end."""
MEMORY_BYTES = 16 * 2**20
RUN_LIMIT_S = 900.0
BACK_LIMIT_S = 300.0
PAUSE_S = 0.2
OF_TENANTS = "tenant-t"
AT_ONCE = 8


def networks(
    most: Annotated[int, typer.Option("--networks", min=0, max=1_000, help="Networks without containers.")] = 100,
    tenants: Annotated[int, typer.Option(min=0, max=500, help="Tenants with a container each.")] = 0,
    crowd: Annotated[int, typer.Option(min=0, max=1_000, help="Containers of one tenant.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--output", help="Write the figures to a file as well.")] = None,
) -> None:
    """Have one node's router be attached to networks, first alone, then with tenants' containers, and restart it."""
    with local_fleet(workers=1, slots=tenants + crowd + 4, isolation="tenant") as ground:
        clients = ground.engines()
        figures = {
            **_made_alone(ground, clients, most),
            **_of_tenants(ground, clients, tenants),
            **_crowded(ground, crowd),
            **_restarted(ground, clients),
        }
        clients.close()
    tell({**figures, "asked_for": most, **machine()}, as_json=json, output=out)


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of one network."""

    made_s: float
    attached_s: float


def _made_alone(ground: Ground, clients: EngineClients, most: int) -> dict[str, object]:
    """One network after the other, until one fails."""
    made: list[Taken] = []
    refused = ""
    try:
        for number, taken in enumerate(_attached(clients, _manager(ground), _worker(ground), most), start=1):
            made.append(taken)
            if number % SHOWN == 0:
                notice(f"{number} networks")
    except SwarmkeeperError as error:
        refused = str(error)
    return {**_figures(made), "refused": refused}


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


def _of_tenants(ground: Ground, clients: EngineClients, tenants: int) -> dict[str, object]:
    """A container of each tenant through the whole path, several at once: each brings a network onto the node."""
    ran, took_s = _run(ground, [(f"of-{number}", f"t{number}") for number in range(tenants)])
    return {
        "tenants": tenants,
        "tenants_running": ran,
        "tenants_per_s": ran / took_s if ran else 0.0,
        "router_networks": len(_networks_of_router(ground, clients)),
    }


def _crowded(ground: Ground, crowd: int) -> dict[str, object]:
    """Containers of one tenant, on one network."""
    ran, took_s = _run(ground, [(f"crowd-{number}", "crowd") for number in range(crowd)])
    return {"crowd": crowd, "crowd_running": ran, "crowd_per_s": ran / took_s if ran else 0.0}


def _run(ground: Ground, wanted: Sequence[tuple[str, str]]) -> tuple[int, float]:
    """How many of these names, each with its tenant, run in the end, and the seconds until then."""
    if not wanted:
        return 0, 0.0
    begun, names = time.perf_counter(), {name for name, _ in wanted}

    def create(name_and_tenant: tuple[str, str]) -> None:
        name, tenant = name_and_tenant
        command = ["sleep", "7200"]
        ground.fleet.create(body_of(name, ground.image, command, memory_bytes=MEMORY_BYTES, tenant=tenant))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(create, wanted))
    wait(f"{len(names)} containers", lambda: len(_running(ground) & names) == len(names), RUN_LIMIT_S)
    return len(_running(ground) & names), time.perf_counter() - begun


def _running(ground: Ground) -> set[str]:
    return {each["name"] for each in ground.fleet.list()["containers"] if each["state"] == "running"}


def _restarted(ground: Ground, clients: EngineClients) -> dict[str, object]:
    """Restart the router, and look when it runs, and when it is on the networks of all tenants again.

    Networks without containers don't count: a router leaves those by itself.
    """
    before, begun, refused = _networks_of_router(ground, clients), time.perf_counter(), ""
    wanted = frozenset(name for name in before if name.startswith(OF_TENANTS))
    try:
        with clients.calling(_worker(ground), "restart the router") as engine:
            engine.restart(ROUTER, timeout=1)
    except SwarmkeeperError as error:
        refused = str(error)
    runs_s = _seconds_until(lambda: bool(_networks_of_router(ground, clients)), begun)
    whole_s = _seconds_until(lambda: _networks_of_router(ground, clients) >= wanted, begun)
    return {
        "restarted_networks": len(before),
        "restart_refused": refused,
        "runs_after_s": runs_s,
        "on_tenants_networks_after_s": whole_s,
    }


def _seconds_until(is_so: Callable[[], bool], begun: float) -> float | None:
    """Since `begun`; None when it isn't so in time."""
    while time.perf_counter() - begun < BACK_LIMIT_S:
        with suppress(SwarmkeeperError):  # an engine that starts containers is slow to answer
            if is_so():
                return time.perf_counter() - begun
        time.sleep(PAUSE_S)
    return None


def _networks_of_router(ground: Ground, clients: EngineClients) -> frozenset[str]:
    """Those where it has an address; none while it doesn't run."""
    with clients.calling(_worker(ground), "look at the router") as engine:
        found = engine.inspect_container(ROUTER)["NetworkSettings"]["Networks"]
    return frozenset(name for name, endpoint in found.items() if endpoint.get("IPAddress"))


def _manager(ground: Ground) -> Node:
    return as_node(ground.nodes("manager")[0])


def _worker(ground: Ground) -> Node:
    return as_node(ground.nodes("worker")[0])
