"""Engines whose tenants have networks of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from docker import APIClient
from docker.errors import APIError

from swarmkeeper.adapters.engine.clients import EngineClients
from swarmkeeper.adapters.engine.create_body import LABEL_FLEET
from swarmkeeper.adapters.engine.engines import DockerEngines
from swarmkeeper.adapters.engine.shared_volumes import SharedStorage
from swarmkeeper.domain.model import ContainerName, Node, Request
from swarmkeeper.errors import Declined
from swarmkeeper.ports import Routers

ROUTER = ("com.docker.compose.project=node", "com.docker.compose.service=router")
"""How Compose labels the router of the project that each worker runs."""
REFUSES = "swarmkeeper.refuses"
"""The router's label that says whom it refuses: empty where the node joined before tenants had networks."""


class TenantRouters(Routers):
    """`ensure` has the Swarm make a network of that name unless it is there."""

    def __init__(self, clients: EngineClients, *, ensure: Callable[[str], None]) -> None:
        self._clients = clients
        self._ensure = ensure

    def networks(self, node: Node) -> frozenset[str] | None:
        found = self._found(node, "look at the router").values()
        if not found or not all(_labels(each).get(REFUSES) for each in found):
            return None
        return frozenset.intersection(*map(_networks, found))

    def attach(self, node: Node, network: str) -> None:
        """Make the network unless it is there, and put the router on it; harmless when it is.

        Raises Declined where the router does not refuse containers: on two networks it would lead from one into the
        other.
        """
        routers = self._found(node, "look at the router")
        if not all(_labels(found).get(REFUSES) for found in routers.values()):
            raise Declined(f"{node.id} joined before tenants had networks of their own, and is to be replaced")
        apart = [router for router, found in routers.items() if network not in _networks(found)]
        if routers and not apart:
            return
        self._ensure(network)
        for router in apart:
            with self._clients.calling(node, "attach the router") as engine:
                _attach(engine, router, network)

    def detach(self, node: Node, network: str) -> None:
        for router, found in self._found(node, "look at the router").items():
            if network in _networks(found):
                with self._clients.calling(node, "detach the router") as engine:
                    _detach(engine, router, network)

    def used(self, node: Node) -> frozenset[str]:
        with self._clients.calling(node, "look at the router") as engine:
            return frozenset().union(*map(_networks, engine.containers(all=True)))

    def _found(self, node: Node, operation: str) -> dict[str, dict[str, Any]]:
        with self._clients.calling(node, operation) as engine:
            return {str(found["Id"]): found for found in _routers(engine)}


class TenantEngines(DockerEngines):
    """Before a container is made, its network is there and the node's router is on it; nothing else ever is."""

    def __init__(
        self, clients: EngineClients, *, fleet: str, storage: SharedStorage | None = None, routers: Routers
    ) -> None:
        super().__init__(clients, fleet=fleet, storage=storage)
        self._routers = routers

    def create(self, node: Node, request: Request, *, image: str = "") -> str:
        """As for any engine; raises Unavailable too when no manager answers."""
        if request.network:
            self._routers.attach(node, request.network)
        return super().create(node, request, image=image)

    def resume(self, node: Node, name: ContainerName, *, network: str) -> None:
        if network:
            self._routers.attach(node, network)  # it may have been made anew meanwhile
        super().resume(node, name, network=network)


def _routers(engine: APIClient) -> Iterator[dict[str, Any]]:
    """What Compose runs as a router, stopped or not; a container of the fleet's, which may carry any label, is none."""
    listed: list[dict[str, Any]] = engine.containers(all=True, filters={"label": list(ROUTER)})
    return (found for found in listed if LABEL_FLEET not in _labels(found))


def _labels(found: dict[str, Any]) -> dict[str, str]:
    return found.get("Labels") or {}


def _networks(found: dict[str, Any]) -> frozenset[str]:
    return frozenset((found.get("NetworkSettings") or {}).get("Networks") or {})


def _attach(engine: APIClient, router: str, network: str) -> None:
    try:
        engine.connect_container_to_network(router, network)
    except APIError as error:
        if not _was_attached(error):
            raise


def _was_attached(error: APIError) -> bool:
    """Whether another call was first. Engines say so in two ways; 409 is a worker's, of a network of the Swarm's."""
    told = str(error.explanation)
    is_refused = error.status_code in (HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT)
    return is_refused and ("already exists in network" in told or "already attached to network" in told)


def _detach(engine: APIClient, router: str, network: str) -> None:
    try:
        engine.disconnect_container_from_network(router, network)
    except APIError as error:
        # Another call was first, or the router is gone.
        if error.status_code != HTTPStatus.NOT_FOUND and "is not connected to" not in str(error.explanation):
            raise
