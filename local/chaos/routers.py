"""Asks every node's router for every container, as the load balancer would: real engines have routers."""

from __future__ import annotations

from dataclasses import dataclass

from local.chaos.judge import RUNNING, Violation
from local.chaos.snapshot import Snapshot
from swarmkeeper.cli.demo.probe import Route, wait_for_answers
from swarmkeeper.cli.fleet import Fleet
from swarmkeeper.edge.settings import NetworkSettings


def no_routers(_seen: Snapshot) -> list[Violation]:
    """Simulated engines have none to ask."""
    return []


@dataclass(frozen=True, slots=True)
class Routers:
    """The routers of the fleet's ready workers."""

    fleet: Fleet
    network: NetworkSettings

    def unanswered(self, seen: Snapshot) -> list[Violation]:
        """Which running containers a router does not reach by name; each is asked for once."""
        names = sorted(one.name for one in seen.containers.values() if one.state == RUNNING)
        missing = wait_for_answers(self._routes(), names, limit_s=0.0)
        return [
            Violation("name", name, f"is not reached by the router of {node}: {instead}")
            for node, left in missing.items()
            for name, instead in left.items()
        ]

    def _routes(self) -> list[Route]:
        ready = [node for node in self.fleet.list()["nodes"] if node["role"] == "worker" and node["state"] == "ready"]
        port, domain = self.network.router_port, self.network.domain
        return [Route(node["id"], node["address"], port, domain) for node in ready]
