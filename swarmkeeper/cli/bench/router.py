"""Through the nodes' router on real engines, beside direct access and a router that keeps its connections."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer

from swarmkeeper.adapters.engine import EngineClients
from swarmkeeper.cli.bench.figures import Figures, machine, percentile, tell
from swarmkeeper.cli.bench.ground import Ground, as_node, local_fleet
from swarmkeeper.cli.bench.router_load import Load, compose_folder, press
from swarmkeeper.cli.bench.router_watch import PERIOD_S, Watch
from swarmkeeper.cli.output import notice
from swarmkeeper.composition import NETWORK
from swarmkeeper.domain.model import Node

DOMAIN, ROUTER_PORT = "bench.example", 8080
ROUTER = "node-router-1"
TARGET_PORT, DIRECT_PORT, POOLED_PORT = 8080, 18_080, 18_081
WAYS = ("direct", "router", "pooled", "other_node")
LOADS = {"one": 1, "many": 32}
"""Connections by the name of the load."""
SERVER = """pid /tmp/nginx.pid; error_log /dev/stderr warn; events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; fastcgi_temp_path /tmp/3;
    uwsgi_temp_path /tmp/4; scgi_temp_path /tmp/5;
    keepalive_requests 100000000;
    server {{ listen {port}; location / {{ return 200 "{body}"; }} }}
}}
"""
BODY = "x" * 1023 + "\\n"
Tree = Mapping[str, str]


def router(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in each of which every way is pressed.")] = 5,
    seconds: Annotated[int, typer.Option(min=1, help="How long each way is pressed in a round.")] = 4,
    lives: Annotated[int, typer.Option(min=1, help="Containers that are started and removed under a watch.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the order in each round.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--output", help="Write the figures to a file as well.")] = None,
) -> None:
    """Requests a second, latency and CPU time through the router beside direct access, by turns; lives of containers.

    The client keeps its connections. `pooled` is the same router told beforehand of this one container, so that it
    can keep its connections too: what a new connection for each request costs is the difference. `other_node` is
    the router of a node that the container is not on.
    """
    with local_fleet(workers=2, slots=16) as ground:
        bench = Bench(ground)
        with bench.serving():
            figures = {**_pressed(bench, rounds, seconds, Random(seed)), **_watched(bench, lives)}  # noqa: S311
    tell({"rounds": rounds, "seconds": seconds, **figures, **machine()}, as_json=json, output=out)


@dataclass(frozen=True, slots=True)
class Way:
    """An address under which the container is asked, and the containers whose CPU time that takes."""

    url: str
    passing: str | None
    node: Node


class Bench:
    """A container that answers at once, and the ways to it."""

    def __init__(self, ground: Ground) -> None:
        self.near, self.far = (as_node(each) for each in ground.nodes("worker"))
        self._clients: EngineClients = ground.engines()
        with self._clients.calling(self.near, "inspect") as engine:
            self._image = str(engine.inspect_container(ROUTER)["Config"]["Image"])
        here, there = self.near.address, self.far.address
        self.ways = {
            "direct": Way(f"http://{here}:{DIRECT_PORT}/", None, self.near),
            "router": Way(f"http://{here}:{ROUTER_PORT}/", ROUTER, self.near),
            "pooled": Way(f"http://{here}:{POOLED_PORT}/", "pooled", self.near),
            "other_node": Way(f"http://{there}:{ROUTER_PORT}/", ROUTER, self.far),
        }

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The container and the router with a pool while the block runs."""
        self.start("target", {"nginx.conf": SERVER.format(port=TARGET_PORT, body=BODY)}, DIRECT_PORT)
        self.start("pooled", pooled_router(), POOLED_PORT)
        for name in WAYS:
            _until_pressed(self, name)
        yield

    def start(self, name: str, files: Tree, port: int | None = None) -> float:
        """Run a container of the router's image with these files; the wall time when the engine had started it."""
        body = {
            "Image": self._image,
            "User": "65534:65534",
            "ExposedPorts": {f"{TARGET_PORT}/tcp": {}},
            "HostConfig": {
                "NetworkMode": NETWORK,
                "PortBindings": {f"{TARGET_PORT}/tcp": [{"HostPort": str(port)}]} if port else {},
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "mode": "non-blocking"}},
            },
        }
        with self._engine() as engine:
            made = engine.create_container_from_config(body, name=name)
            engine.put_archive(made["Id"], "/etc/nginx", archive_of(files))
            engine.start(made["Id"])
            return _timestamp(engine.inspect_container(made["Id"])["State"]["StartedAt"])

    def remove(self, name: str) -> float:
        """End and remove a container; the wall time when the engine had done it."""
        with self._engine() as engine:
            engine.remove_container(name, force=True, v=True)
        return time.time()

    def press(self, name: str, *, connections: int, seconds: int) -> Load:
        return press(self.ways[name].url, host=host_of("target"), connections=connections, seconds=seconds)

    def cpu_s(self, name: str) -> float:
        """CPU seconds that the router on this way has taken so far; 0 where there is none."""
        way = self.ways[name]
        if way.passing is None:
            return 0.0
        with self._clients.calling(way.node, "stats") as engine:
            stats: Any = engine.stats(way.passing, stream=False, one_shot=True)
        return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9

    @contextmanager
    def _engine(self) -> Iterator[Any]:  # the SDK's stubs leave out some of its calls
        with self._clients.calling(self.near, "bench") as engine:
            yield engine


def host_of(name: str) -> str:
    """Under which the container's server is asked for."""
    return f"{name}--{TARGET_PORT}.{DOMAIN}"


def pooled_router() -> dict[str, str]:
    """The router's own files, but with the one container known beforehand, so that connections to it are kept."""
    folder = compose_folder()
    settings = {"DOMAIN": DOMAIN, "VPC_CIDR": "10.42.0.0/16", "BODY_LIMIT": str(2**30), "ACCESS_LOG": "yes"}
    rendered = subprocess.run(
        ["bash", str(folder / "render.sh")],
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    pool = f"upstream pool {{ server target:{TARGET_PORT}; keepalive 64; keepalive_requests 100000000; }}"
    changes = {
        "    server {\n": f"    {pool}\n    server {{\n",
        "proxy_pass http://$name:$upstream_port;": "proxy_pass http://pool;",
        'default upgrade; "" close;': 'default upgrade; "" "";',
    }
    for before, after in changes.items():
        if before not in rendered:
            raise RuntimeError(f"the router's configuration has no {before!r} any more")
        rendered = rendered.replace(before, after, 1)
    parts = {part.name: part.read_text(encoding="utf-8") for part in folder.glob("*.conf")}
    return {**parts, "nginx.conf": rendered}


def archive_of(files: Tree) -> bytes:
    """A tar of these files, for all to read."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive.getvalue()


def _timestamp(text: str) -> float:
    """Docker's nanoseconds are more than Python reads."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")


def _until_pressed(bench: Bench, name: str) -> None:
    """Also warms up; ends with an error when a way does not lead there."""
    deadline = time.monotonic() + 30
    while bench.press(name, connections=1, seconds=1).failed:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{bench.ways[name].url} does not answer")


def _pressed(bench: Bench, rounds: int, seconds: int, chance: Random) -> Figures:
    loads: defaultdict[str, list[Load]] = defaultdict(list)
    cpu_s: defaultdict[str, float] = defaultdict(float)
    for number in range(rounds):
        for way in chance.sample(WAYS, len(WAYS)):
            for load, connections in LOADS.items():
                before = bench.cpu_s(way)
                loads[f"{load}_{way}"].append(bench.press(way, connections=connections, seconds=seconds))
                cpu_s[f"{load}_{way}"] += bench.cpu_s(way) - before
        notice(f"{number + 1} of {rounds} rounds")
    figures: dict[str, object] = {}
    for name, each in loads.items():
        figures |= of_rounds(name, each, cpu_s[name])
    return dict(sorted(figures.items()))


def of_rounds(name: str, loads: Sequence[Load], cpu_s: float) -> Figures:
    """Medians over the rounds; `cpu_s` is what routers took in all of them, told for a request."""
    asked = sum(each.requests for each in loads)
    return {
        f"{name}_per_s": _median([each.per_s for each in loads]),
        f"{name}_p50_ms": _median([each.p50_ms for each in loads]),
        f"{name}_p99_ms": _median([each.p99_ms for each in loads]),
        f"{name}_failed": sum(each.failed for each in loads),
        f"{name}_router_cpu_us": cpu_s / asked * 1e6,
    }


def _median(values: Sequence[float]) -> float:
    return percentile(sorted(values), 50)


def _watched(bench: Bench, lives: int) -> Figures:
    """Milliseconds from a container's start to its first answer, and from its removal to the first refusal.

    The longest answer is that of a question asked at any time between, while the container came up or went down, say.
    """
    took: defaultdict[str, list[float]] = defaultdict(list)
    files = {"nginx.conf": SERVER.format(port=TARGET_PORT, body="here")}
    for number in range(lives):
        name = f"life-{number}"
        watches = {
            place: Watch(node.address or "", ROUTER_PORT, host_of(name))
            for place, node in (("same_node", bench.near), ("other_node", bench.far))
        }
        with watches["same_node"], watches["other_node"]:
            started_at = bench.start(name, files)
            for place, watch in watches.items():
                took[f"answers_{place}"].append(watch.first(200, since=0).answered_at - started_at)
            removed_at = bench.remove(name)
            for place, watch in watches.items():
                refused = watch.first(404, since=removed_at)
                took[f"refused_{place}"].append(refused.answered_at - removed_at)
        for place, watch in watches.items():
            took[f"longest_answer_{place}"].append(max(each.answered_at - each.asked_at for each in watch.seen))
    return {
        "lives": lives,
        "asked_every_ms": PERIOD_S * 1000,
        **{
            f"{name}_{which}_ms": percentile(sorted(values), percent) * 1000
            for name, values in took.items()
            for which, percent in (("p50", 50), ("max", 100))
        },
    }
