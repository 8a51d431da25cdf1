"""The Swarm through a manager's engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from docker import APIClient
from docker.errors import APIError, NotFound
from docker.types import IPAMConfig, IPAMPool

from swarmkeeper.adapters.engine.clients import EngineClients
from swarmkeeper.adapters.engine.errors import explanation_of
from swarmkeeper.domain.model import TENANT_NETWORK, Node, Role
from swarmkeeper.errors import Conflict, Declined, InvalidInput
from swarmkeeper.ports import Swarm, SwarmNode

UPDATE_ATTEMPTS = 5
ENCRYPTED = "encrypted"
"""The overlay driver's option; that it is there is what counts."""
IN_USE = "is in use by"
"""What a manager answers of a network to which a container is attached."""
ALLOCATED_WITHIN_S = 5.0
"""A network that has no driver so long after it was made has found no subnet free in the Swarm's pool."""
OUT_OF_SEQUENCE = "update out of sequence"
"""What a manager answers, as a 500, when the version given is no longer the node's."""


class DockerSwarm(Swarm):
    """The Swarm's API on the engine of the manager that is given; `encrypted` says how networks are made."""

    def __init__(self, clients: EngineClients, *, encrypted: bool = False) -> None:
        self._clients = clients
        self._encrypted = encrypted

    def nodes(self, manager: Node) -> tuple[SwarmNode, ...]:
        with self._clients.calling(manager, "list nodes") as engine:
            return tuple(_swarm_node(item) for item in engine.nodes())

    def managers(self, manager: Node) -> tuple[SwarmNode, ...]:
        with self._clients.calling(manager, "list managers") as engine:
            return tuple(_swarm_node(item) for item in engine.nodes(filters={"role": str(Role.MANAGER)}))

    def label(self, manager: Node, swarm_id: str, labels: Mapping[str, str]) -> None:
        """Add the labels to the node's own. Raises Conflict when the Swarm doesn't list the node."""

        def with_labels(spec: Mapping[str, Any]) -> dict[str, Any]:
            return {**spec, "Labels": {**(spec.get("Labels") or {}), **labels}}

        with self._clients.calling(manager, "label a node") as engine:
            try:
                _update_spec(engine, swarm_id, with_labels)
            except NotFound as error:
                raise Conflict(f"the Swarm lists no node {swarm_id}") from error

    def demote(self, manager: Node, swarm_id: str) -> None:
        """Have a manager become a worker; the leader takes its vote away a moment later. Harmless to repeat."""
        with self._clients.calling(manager, "demote a manager") as engine:
            try:
                _demote(engine, swarm_id)
            except NotFound:
                return

    def remove(self, manager: Node, swarm_id: str) -> None:
        """Remove a node that is down, a lost manager too; harmless when it is not listed.

        Raises Conflict while the node is ready.
        """
        with self._clients.calling(manager, "remove a node") as engine:
            try:
                _remove_node(engine, swarm_id)
            except NotFound:
                return

    def join_tokens(self, manager: Node) -> Mapping[Role, str]:
        with self._clients.calling(manager, "read the join tokens") as engine:
            tokens = engine.inspect_swarm()["JoinTokens"]
            return {Role.WORKER: str(tokens["Worker"]), Role.MANAGER: str(tokens["Manager"])}

    def rotate_join_tokens(self, manager: Node) -> None:
        """Rotate both. Raises Conflict when the Swarm's settings keep changing meanwhile."""
        with self._clients.calling(manager, "rotate the join tokens") as engine:
            for _ in range(UPDATE_ATTEMPTS):
                found = engine.inspect_swarm()
                try:
                    engine.update_swarm(
                        found["Version"]["Index"],
                        swarm_spec=found["Spec"],
                        rotate_worker_token=True,
                        rotate_manager_token=True,
                    )
                except APIError as error:
                    if OUT_OF_SEQUENCE not in explanation_of(error):
                        raise
                else:
                    return
            raise Conflict(f"the Swarm's settings kept changing under {manager.id}")

    def ensure_network(self, manager: Node, name: str, subnet: str | None) -> None:
        """Make the attachable overlay network unless it is there; without a `subnet` the Swarm cuts one from its pool.

        Raises InvalidInput when a network of this name differs, or the subnet overlaps another network's.
        """
        with self._clients.calling(manager, "make a network") as engine:
            if (found := _network(engine, name)) is None:
                found = _created_network(engine, name, subnet, encrypted=self._encrypted)
            elif not found["Driver"] and _age_s(found) > ALLOCATED_WITHIN_S:
                raise Declined(f"the Swarm has no addresses left for the network {name} (network.overlay_pool)")
            _check_network(found, name, subnet, encrypted=self._encrypted)

    def tenant_networks(self, manager: Node) -> tuple[str, ...]:
        with self._clients.calling(manager, "list networks") as engine:
            names = (str(found["Name"]) for found in engine.networks(names=[TENANT_NETWORK]))
            return tuple(sorted(name for name in names if name.startswith(TENANT_NETWORK)))

    def remove_network(self, manager: Node, name: str) -> bool:
        """Remove it by its id, lest one that was made anew meanwhile go; the Swarm knows who is attached."""
        with self._clients.calling(manager, "remove a network") as engine:
            if (found := _network(engine, name)) is None:
                return True
            try:
                engine.remove_network(found["Id"])
            except NotFound:
                return True
            except APIError as error:
                if IN_USE not in explanation_of(error):
                    raise
                return False
            return True


def _swarm_node(item: Mapping[str, Any]) -> SwarmNode:
    return SwarmNode(
        id=str(item["ID"]),
        host_name=str(item.get("Description", {}).get("Hostname", "")),  # unknown until the node has reported once
        ready=item["Status"]["State"] == "ready",
        role=Role(item["Spec"]["Role"]),
        labels=dict(item["Spec"].get("Labels") or {}),
        reachable=_is_reachable(item),
    )


def _is_reachable(item: Mapping[str, Any]) -> bool | None:
    """The Swarm tells of those managers that have a vote; one that has just been demoted or cast out has none."""
    status = item.get("ManagerStatus")
    return None if not status else status.get("Reachability") == "reachable"


def _update_spec(engine: APIClient, swarm_id: str, change: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
    """Compare and set the node's specification; read again when another manager's write came between."""
    for attempt in range(1, UPDATE_ATTEMPTS + 1):
        found = engine.inspect_node(swarm_id)
        wanted: Any = change(found["Spec"])
        if wanted == found["Spec"]:
            return
        try:
            engine.update_node(swarm_id, found["Version"]["Index"], wanted)
        except APIError as error:
            if OUT_OF_SEQUENCE not in explanation_of(error) or attempt == UPDATE_ATTEMPTS:
                raise
        else:
            return


def _remove_node(engine: APIClient, swarm_id: str) -> None:
    found = engine.inspect_node(swarm_id)
    if found["Status"]["State"] == "ready":
        raise Conflict(f"node {swarm_id} is still ready in the Swarm")
    if _is_reachable(found) is not None:
        # A manager that is lost stays a member of the quorum until it is demoted. After a new cluster was forced
        # there are managers without a vote: those can't be demoted, and needn't be.
        _demote(engine, swarm_id)
    try:
        engine.remove_node(swarm_id, force=True)  # its state may still be unknown after a change of leader
    except APIError as error:
        if error.status_code != HTTPStatus.BAD_REQUEST:
            raise
        raise Declined(f"node {swarm_id} can't be removed yet: {explanation_of(error)}") from error


def _demote(engine: APIClient, swarm_id: str) -> None:
    try:
        _update_spec(engine, swarm_id, lambda spec: {**spec, "Role": str(Role.WORKER)})
    except APIError as error:
        if error.status_code != HTTPStatus.BAD_REQUEST:
            raise
        raise Declined(f"manager {swarm_id} can't be demoted: {explanation_of(error)}") from error


def _network(engine: APIClient, name: str) -> Mapping[str, Any] | None:
    """The Swarm's network of exactly this name; the engine's filter also finds longer ones."""
    listed: list[Mapping[str, Any]] = engine.networks(names=[name])
    return next((item for item in listed if item["Name"] == name), None)


def _age_s(network: Mapping[str, Any]) -> float:
    return time.time() - datetime.fromisoformat(str(network["Created"])).timestamp()


def _created_network(engine: APIClient, name: str, subnet: str | None, *, encrypted: bool) -> Mapping[str, Any]:
    options = {ENCRYPTED: "true"} if encrypted else None
    ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]) if subnet else None
    try:
        engine.create_network(name, driver="overlay", ipam=ipam, attachable=True, options=options)
    except APIError as error:
        if error.status_code == HTTPStatus.FORBIDDEN:
            raise InvalidInput("network.fleet_subnet", explanation_of(error)) from error
        if error.status_code != HTTPStatus.CONFLICT:
            raise
    # Read it back: somebody else may have made it first, with another subnet.
    if (found := _network(engine, name)) is None:
        raise Declined(f"the network {name} is not listed yet")
    return found


def _check_network(found: Mapping[str, Any], name: str, subnet: str | None, *, encrypted: bool) -> None:
    if not found["Driver"] and found["Attachable"]:
        return  # the Swarm gives a network its driver and addresses a moment after it has taken it
    subnets = [pool.get("Subnet") for pool in found["IPAM"].get("Config") or []]
    if found["Driver"] != "overlay" or not found["Attachable"]:
        raise InvalidInput("network", f"{name} exists and is not an attachable overlay network")
    if (ENCRYPTED in (found.get("Options") or {})) != encrypted:
        raise InvalidInput("network.encrypted", f"{name} exists and is {'not ' if encrypted else ''}encrypted")
    if subnet and subnets != [subnet]:
        raise InvalidInput("network.fleet_subnet", f"{name} exists with {', '.join(map(str, subnets))}, not {subnet}")
