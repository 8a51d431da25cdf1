"""The engines' containers through the Docker SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from docker import APIClient
from docker.errors import APIError, NotFound

from swarmkeeper.adapters.engine.clients import EngineClients
from swarmkeeper.adapters.engine.create_body import (
    LABEL_FLEET,
    LABEL_NAME,
    LABEL_REQUEST,
    OWN_LABELS,
    aliases_of,
    create_body,
    digest_of,
)
from swarmkeeper.adapters.engine.log_tails import last_bytes
from swarmkeeper.adapters.engine.recall import Unreadable, finished_at, request_in, request_seen, started_at
from swarmkeeper.adapters.engine.references import LABEL_TENANT, bound_to_ids
from swarmkeeper.adapters.engine.shared_volumes import (
    SharedStorage,
    make_folders,
    shared_sources,
    with_shared_volumes,
)
from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, ContainerName, Image, Node, Request, Resources
from swarmkeeper.errors import Conflict, Unavailable
from swarmkeeper.ports import EngineContainer, EngineFacts, EngineRecord, Engines, Layer, LogTail

STOP_GRACE_S = 10
"""Docker's own default between the stop signal and the kill."""
DEFAULT_NETWORK = "bridge"
"""Linux engines' own; Windows' is called otherwise."""
NO_NAMES = frozenset({"<none>:<none>", "<none>@<none>"})
"""What an engine calls an image without a tag or a digest."""
INFO_OF_LABELS = {
    "ostype": "OSType",
    "operatingsystem": "OperatingSystem",
    "kernelversion": "KernelVersion",
    "storagedriver": "Driver",
}
"""Where an engine's information has what the standard labels say."""


@dataclass(frozen=True, slots=True)
class _Inspected:
    """A container of this fleet as its engine describes it."""

    id: str
    labels: Mapping[str, str]
    status: str
    networks: frozenset[str]
    image: str
    """What it was made from, as that was named then."""

    @property
    def going(self) -> bool:
        return self.status in {"removing", "dead"}


class DockerEngines(Engines):
    """The engines' API. A container that doesn't carry the fleet's label is never touched, whatever its name."""

    def __init__(self, clients: EngineClients, *, fleet: str, storage: SharedStorage | None = None) -> None:
        self._clients = clients
        self._fleet = fleet
        self._storage = storage

    def facts(self, node: Node) -> EngineFacts:
        with self._clients.calling(node, "info") as engine:
            info: dict[str, Any] = engine.info()
            return EngineFacts(
                name=str(info["Name"]),
                capacity=Resources(int(info["NCPU"]) * NANO_CPUS_PER_CPU, int(info["MemTotal"])),
                version=str(info["ServerVersion"]),
                swarm_state=str(info["Swarm"]["LocalNodeState"]),
                labels={label: str(info.get(field, "")) for label, field in INFO_OF_LABELS.items()},
            )

    def create(self, node: Node, request: Request, *, image: str = "") -> str:
        """Create the container; one that this same request made before, from the same image, is taken over.

        Raises ImageMissing, InvalidInput when the engine refuses the request itself, Conflict when another
        container has the name on this engine.
        """
        body = create_body(request, fleet=self._fleet, image=image)
        self._make_folders(node, shared_sources(body))
        body = with_shared_volumes(body, self._storage)
        with self._clients.calling(node, "create") as engine:
            body = bound_to_ids(body, lambda name: self._id_for(engine, name, request.tenant))
            try:
                made = engine.create_container_from_config(body, name=request.name)  # type: ignore[no-untyped-call]  # its stub has no types
                return str(made["Id"])
            except APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:
                    raise
            return self._taken_over(engine, node, request, image or request.image)

    def start(self, node: Node, engine_id: str) -> None:
        """Start the container; harmless when it runs.

        Raises Conflict when it is gone, InvalidInput when its command can't be run.
        """
        with self._clients.calling(node, "start") as engine:
            engine.start(engine_id)

    def stop(self, node: Node, name: ContainerName, *, network: str) -> None:
        with self._clients.calling(node, "stop") as engine:
            held = self._inspected(engine, name)
            if held is None:
                return
            engine.stop(held.id, timeout=STOP_GRACE_S)
            if network in held.networks:
                engine.disconnect_container_from_network(held.id, network)

    def resume(self, node: Node, name: ContainerName, *, network: str) -> None:
        """Undo `stop`. Raises Conflict when the container is not there."""
        with self._clients.calling(node, "resume") as engine:
            held = self._inspected(engine, name)
            if held is None:
                raise Conflict(f"{node.id} has no container {name}")
            if network and network not in held.networks:
                engine.connect_container_to_network(held.id, network, aliases=aliases_of(name, held.labels))
            engine.start(held.id)

    def remove(self, node: Node, name_or_id: str) -> None:
        """Remove the container and its anonymous volumes by force; harmless when it is not there."""
        with self._clients.calling(node, "remove") as engine:
            held = self._inspected(engine, name_or_id)
            if held is None:
                return
            try:
                engine.remove_container(held.id, v=True, force=True)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:
                    raise
                # Its room is free only when it is gone, so the caller has to ask again.
                raise Unavailable(f"{node.id} is still removing {name_or_id}") from error

    def containers(self, node: Node) -> tuple[EngineContainer, ...]:
        with self._clients.calling(node, "list") as engine:
            listed = engine.containers(all=True, filters={"label": f"{LABEL_FLEET}={self._fleet}"})
            found = (_listed(item) for item in listed)
            return tuple(sorted(found, key=lambda container: container.name))

    def layer(self, node: Node, engine_id: str) -> Layer | None:
        with self._clients.calling(node, "measure layer") as engine:
            listed: list[dict[str, Any]] = engine.containers(all=True, size=True, filters={"id": engine_id})
            found = next((each for each in listed if each["Id"] == engine_id), None)
            if found is None:
                return None
            try:
                image: dict[str, Any] = engine.inspect_image(found["ImageID"])  # type: ignore[no-untyped-call]  # as above
            except NotFound:  # it went with its container
                return None
        return Layer(int(found.get("SizeRw") or 0), len(image["RootFS"].get("Layers") or ()))

    def recall(self, node: Node, engine_id: str) -> EngineRecord | None:
        with self._clients.calling(node, "inspect") as engine:
            try:
                found: dict[str, Any] = engine.inspect_container(engine_id)
            except NotFound:
                return None
        return _recalled(found)

    def ended_with_engine(self, node: Node, engine_id: str, *, within_s: float | None = None) -> bool:
        """By the age of the default network, which an engine makes anew at each start; Windows' can't tell."""
        with self._clients.calling(node, "inspect") as engine:
            try:
                found: dict[str, Any] = engine.inspect_container(engine_id)
                network: dict[str, Any] = engine.inspect_network(DEFAULT_NETWORK)
            except NotFound:
                return False
        began = started_at(found)
        if found["State"]["Running"] or began is None:
            return False
        engine_began = datetime.fromisoformat(str(network["Created"])).timestamp()
        ended = finished_at(found)
        if within_s is not None and (ended is None or ended < engine_began - within_s):
            return False
        return began < engine_began

    def images(self, node: Node) -> tuple[Image, ...]:
        with self._clients.calling(node, "images") as engine:
            listed: list[dict[str, Any]] = engine.images()
        found = (Image(str(each["Id"]), (*_names(each, "RepoTags"), *_names(each, "RepoDigests"))) for each in listed)
        return tuple(sorted(found, key=lambda image: image.id))

    def sent_bytes(self, node: Node, engine_id: str) -> int | None:
        with self._clients.calling(node, "stats") as engine:
            try:
                figures: dict[str, Any] = engine.stats(engine_id, stream=False, one_shot=True)
            except NotFound:
                return None
        networks: dict[str, dict[str, int]] = figures.get("networks") or {}  # missing while it doesn't run
        return sum(each["tx_bytes"] for each in networks.values()) if networks else None

    def logs(self, node: Node, name: ContainerName, *, tail: int, most_bytes: int) -> LogTail | None:
        with self._clients.calling(node, "logs") as engine:
            held = self._inspected(engine, name)
            if held is None:
                return None
            return last_bytes(engine.logs(held.id, stream=True, follow=False, tail=tail), most_bytes)

    def _make_folders(self, node: Node, sources: tuple[str, ...]) -> None:
        """Have the folders of shared volumes be there before anything mounts them. Raises Declined."""
        if sources and self._storage is not None:
            with self._clients.calling(node, "make folders") as engine:
                make_folders(engine, sources, self._storage)

    def _id_for(self, engine: APIClient, name: str, tenant: str) -> str | None:
        """The id of the tenant's container of this name."""
        held = self._inspected(engine, name)
        return held.id if held is not None and held.labels.get(LABEL_TENANT) == tenant else None

    def _taken_over(self, engine: APIClient, node: Node, request: Request, image: str) -> str:
        """The id of the container that holds the name, if this same request made it from this image."""
        held = self._inspected(engine, request.name)
        if held is None and self._exists(engine, request.name):
            raise Conflict(f"a container that is not the fleet's is called {request.name} on {node.id}")
        if held is None or held.going:
            # An engine holds the name before it lists the container, and while it removes it.
            raise Unavailable(f"{node.id} is still making or removing a container {request.name}")
        if held.labels.get(LABEL_REQUEST) != digest_of(request):
            raise Conflict(f"another request made the container {request.name} on {node.id}")
        if held.image != image:
            raise Conflict(f"the container {request.name} on {node.id} was made from another image")
        return held.id

    def _exists(self, engine: APIClient, name: str) -> bool:
        try:
            engine.inspect_container(name)
        except NotFound:
            return False
        return True

    def _inspected(self, engine: APIClient, name_or_id: str) -> _Inspected | None:
        """The fleet's container of this name or whole id, None where there is none."""
        try:
            found: dict[str, Any] = engine.inspect_container(name_or_id)
        except NotFound:
            return None
        labels: dict[str, str] = found["Config"].get("Labels") or {}
        # The engine also finds a container whose id begins like the name.
        if labels.get(LABEL_FLEET) != self._fleet or name_or_id not in (labels.get(LABEL_NAME), found["Id"]):
            return None
        networks = found["NetworkSettings"].get("Networks") or {}
        image = str(found["Config"]["Image"])
        return _Inspected(str(found["Id"]), labels, str(found["State"]["Status"]), frozenset(networks), image)


def _names(image: Mapping[str, Any], field: str) -> tuple[str, ...]:
    return tuple(sorted(name for name in image.get(field) or () if name not in NO_NAMES))


def _listed(item: Mapping[str, Any]) -> EngineContainer:
    labels: dict[str, str] = item.get("Labels") or {}
    return EngineContainer(
        id=str(item["Id"]),
        name=labels.get(LABEL_NAME, ""),
        running=item["State"] == "running",
        labels=labels,
        has_run=item["State"] != "created",
        created_at=float(item["Created"]),
    )


def _recalled(found: Mapping[str, Any]) -> EngineRecord:
    """The request that made the container, if its label proves it, else one that would make such a container."""
    labels: dict[str, str] = found["Config"].get("Labels") or {}
    try:
        request = _proven(labels, list(found["Config"].get("Env") or ()))
    except Unreadable as problem:
        users = {label: value for label, value in labels.items() if label not in OWN_LABELS}
        seen = request_seen(found, users, labels.get(LABEL_NAME, ""))
        return EngineRecord(seen, started_at(found), doubt=str(problem), image=seen.image)
    return EngineRecord(request, started_at(found), image=str(found["Config"]["Image"]))


def _proven(labels: Mapping[str, str], environment: list[str]) -> Request:
    request = request_in(labels, environment)
    if request.name != labels.get(LABEL_NAME) or digest_of(request) != labels.get(LABEL_REQUEST):
        raise Unreadable("the record of its request is not what made it")
    return request
