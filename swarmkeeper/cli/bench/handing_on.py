"""What it costs that a router hands a request on to the node that has the container, on real engines."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from swarmkeeper.adapters.engine import EngineClients
from swarmkeeper.cli.bench.figures import Figures, machine, tell
from swarmkeeper.cli.bench.ground import Ground, as_node, local_fleet, wait
from swarmkeeper.cli.bench.router import BODY, LOADS, ROUTER, ROUTER_PORT, SERVER, TARGET_PORT, host_of, of_rounds
from swarmkeeper.cli.bench.router_load import Load, press
from swarmkeeper.cli.output import notice
from swarmkeeper.domain.model import Node

NAME = "target"
RUN_LIMIT_S = 120.0
MEMORY_BYTES = 64 * 2**20
START = 'printf "%s" "$CONFIGURATION" >/tmp/nginx.conf && exec nginx -c /tmp/nginx.conf -g "daemon off;"'


def handing_on(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in each of which either way is pressed.")] = 5,
    seconds: Annotated[int, typer.Option(min=1, help="How long either way is pressed in a round.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the order in each round.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--output", help="Write the figures to a file as well.")] = None,
) -> None:
    """Requests a second, latency and routers' CPU time where each tenant has a network of its own, by turns.

    `own` is the router of the container's node, `other` that of another node, which hands on to it. The client keeps
    its connections. CPU time is that of both routers together, finders not counted.
    """
    with local_fleet(workers=2, slots=4, isolation="tenant") as ground:
        clients = ground.engines()
        figures = _pressed(_Ways(ground, clients), rounds, seconds, Random(seed))  # noqa: S311
        clients.close()
    tell({"rounds": rounds, "seconds": seconds, **figures, **machine()}, as_json=json, output=out)


class _Ways:
    """A container that answers at once, and the two routers by which it is asked."""

    def __init__(self, ground: Ground, clients: EngineClients) -> None:
        self._clients = clients
        workers = {each["id"]: as_node(each) for each in ground.nodes("worker")}
        self._put_target(ground, next(iter(workers.values())))
        (found,) = ground.fleet.list()["containers"]
        own = workers.pop(found["node"] or "")
        (other,) = workers.values()
        self.nodes = {"own": own, "other": other}
        for name in self.nodes:
            wait(f"an answer by the {name} router", partial(self._answers, name), RUN_LIMIT_S)

    def press(self, name: str, *, connections: int, seconds: int) -> Load:
        url = f"http://{self.nodes[name].address}:{ROUTER_PORT}/"
        return press(url, host=host_of(NAME), connections=connections, seconds=seconds)

    def cpu_s(self) -> float:
        """CPU seconds that both routers have taken so far."""
        return sum(self._cpu_s(node) for node in self.nodes.values())

    def _put_target(self, ground: Ground, any_worker: Node) -> None:
        with self._clients.calling(any_worker, "inspect") as engine:
            image = str(engine.inspect_container(ROUTER)["Config"]["Image"])
        configuration = SERVER.format(port=TARGET_PORT, body=BODY)
        ground.fleet.create(
            {
                "Name": NAME,
                "Image": image,
                "Cmd": ["sh", "-c", START],
                "Env": [f"CONFIGURATION={configuration}"],
                "HostConfig": {"Memory": MEMORY_BYTES},
            }
        )
        wait("the container", lambda: ground.fleet.list()["containers"][0]["state"] == "running", RUN_LIMIT_S)

    def _answers(self, name: str) -> bool:
        load = self.press(name, connections=1, seconds=1)
        return load.requests > 0 and load.failed == 0

    def _cpu_s(self, node: Node) -> float:
        with self._clients.calling(node, "stats") as engine:
            stats = engine.stats(ROUTER, stream=False, one_shot=True)
        return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def _pressed(ways: _Ways, rounds: int, seconds: int, chance: Random) -> Figures:
    """Medians over the rounds, and CPU time by request over all of them."""
    loads: defaultdict[str, list[Load]] = defaultdict(list)
    cpu_s: defaultdict[str, float] = defaultdict(float)
    for number in range(rounds):
        for way in chance.sample(sorted(ways.nodes), len(ways.nodes)):
            for load, connections in LOADS.items():
                before = ways.cpu_s()
                loads[f"{load}_{way}"].append(ways.press(way, connections=connections, seconds=seconds))
                cpu_s[f"{load}_{way}"] += ways.cpu_s() - before
        notice(f"{number + 1} of {rounds} rounds")
    figures: dict[str, object] = {}
    for name, each in sorted(loads.items()):
        figures |= of_rounds(name, each, cpu_s[name])
    return figures
