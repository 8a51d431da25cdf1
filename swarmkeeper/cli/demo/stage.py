"""What the demo's steps share: the cloud, the fleet, who watches, and what has happened so far."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from local import starter
from swarmkeeper.cli.demo.probe import Route
from swarmkeeper.cli.demo.record import Record
from swarmkeeper.cli.demo.watch import View, Watcher
from swarmkeeper.cli.fleet import Fleet, NodeView
from swarmkeeper.edge.settings import Settings


@dataclass(slots=True)
class Stage:
    """One run against a cloud that is up; times are in seconds since the demo's start."""

    cloud: starter.Cloud
    fleet: Fleet
    record: Record
    watcher: Watcher
    settings: Settings
    say: Callable[[str], None]
    image: str
    names: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    requested_at: float = 0.0
    removed_at: float = 0.0

    @property
    def real(self) -> bool:
        """Whether containers really run, and so answer."""
        return self.cloud.engines == "real"

    @property
    def alarm(self) -> str:
        return f"{self.fleet.name}-pending"

    def routes(self, *, without: Collection[str] = ()) -> list[Route]:
        """The routers of the ready workers."""
        network = self.settings.network
        return [
            Route(node["id"], node["address"], network.router_port, network.domain)
            for node in self.watcher.view.workers("ready")
            if node["id"] not in without
        ]

    def swarm_nodes(self) -> list[Mapping[str, Any]]:
        """`docker node ls` on the manager."""
        return cast(list[Mapping[str, Any]], starter.ask("swarm")["nodes"])

    def told(self, what: str) -> list[Mapping[str, Any]]:
        """The cloud's `calls` of functions, or the scaler's `decisions`."""
        told = cast(list[dict[str, Any]], starter.ask("history")[what])
        return [one | {"t": one["at"] - self.record.started_at} for one in told]

    def proxy(self) -> tuple[str, int] | None:
        """Through where simulated engines are reached; real ones have real addresses."""
        host, _, port = str(starter.ask("status")["proxy"]).rpartition(":")
        return (host.removeprefix("http://"), int(port)) if port else None


def ids(nodes: Sequence[NodeView]) -> set[str]:
    """The nodes' instance ids."""
    return {node["id"] for node in nodes}


def all_run(view: View, names: Sequence[str]) -> bool:
    """Whether every one of these containers runs."""
    states = {one["name"]: one["state"] for one in view.containers}
    return all(states.get(name) == "running" for name in names)
