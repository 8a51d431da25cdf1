"""The fleet as its operators reach it: its functions' direct interfaces, called through AWS's API."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict, cast

from swarmkeeper.alias import ALIAS


class SnapshotView(TypedDict):
    """A container's own layer as the placement function lists it."""

    image: str
    taken_at: float


class ContainerView(TypedDict, total=False):
    """A container as the placement function lists it."""

    name: str
    state: str
    node: str | None
    reason: str
    requested_at: float
    image: str
    tenant: str
    moving_to: str | None
    snapshot: SnapshotView | None


class ReservedView(TypedDict):
    """An amount of resources as the placement function lists it."""

    cpus: float
    memory_bytes: int


class NodeView(TypedDict, total=False):
    """A node as the placement function lists it."""

    id: str
    pool: str
    role: str
    state: str
    address: str
    reserved: ReservedView
    capacity: ReservedView
    containers: int
    slots: int | None
    protected: bool
    reason: str


class Problem(TypedDict, total=False):
    """Why a request was refused."""

    field: str
    message: str


class Answer(TypedDict, total=False):
    """What the placement function returns; `status` speaks HTTP's language."""

    status: int
    container: ContainerView
    containers: list[ContainerView]
    nodes: list[NodeView]
    decision: dict[str, object]
    error: Problem


class RebuiltContainer(TypedDict):
    """A container on an engine, as the reconciler found it: rebuilt, already there, strange, duplicate."""

    name: str
    found: str
    detail: str


class RebuiltNode(TypedDict):
    """An instance of the fleet, as the reconciler found it."""

    id: str
    found: str
    detail: str
    containers: list[RebuiltContainer]


class RebuildAnswer(TypedDict):
    """A shard of a rebuild; `follows` is what the next call goes on after, "" at the end."""

    nodes: list[RebuiltNode]
    follows: str


class ReconcileAnswer(TypedDict):
    """What a look at the whole fleet has found, by the differences' names, and who was told to look again."""

    differences: dict[str, list[str]]
    checked_nodes: list[str]
    retried_containers: list[str]
    compared_engines: list[str]


class RecoverAnswer(TypedDict):
    """Who is to recover the Swarm, "" while its instance isn't there yet; or why nobody is told to, else ""."""

    pool: str
    node: str
    refused: str


class FleetError(Exception):
    """The fleet could not be reached, or its function failed."""


class Invoker(Protocol):
    """What is used of Lambda's client."""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, object]: ...  # noqa: N803  AWS's names


class Readable(Protocol):
    """A stream of bytes."""

    def read(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Fleet:
    """A running fleet."""

    name: str
    functions: Invoker

    def create(self, request: Mapping[str, object]) -> Answer:
        """Ask for a container: 201 placed, 202 accepted and waiting, 400 refused, 409 name taken."""
        return self._call({"action": "create", "request": dict(request)})

    def remove(self, name: str) -> Answer:
        """Remove a container, whatever its state."""
        return self._call({"action": "remove", "name": name})

    def list(self) -> Answer:
        """All containers and nodes."""
        return self._call({"action": "list"})

    def explain(self, request: Mapping[str, object]) -> Answer:
        """Where the request would go now, and why not elsewhere; nothing is reserved."""
        return self._call({"action": "explain", "request": dict(request)})

    def rebuild(self, after: str = "") -> RebuildAnswer:
        """Record a shard of the fleet anew from what lives."""
        return cast(RebuildAnswer, self._invoke("reconciler", {"rebuild": True, "after": after}))

    def reconcile(self) -> ReconcileAnswer:
        """Have the fleet's differences looked for at once, on every engine too."""
        return cast(ReconcileAnswer, self._invoke("reconciler", {"reconcile": True}))

    def recover(self, pool: str) -> RecoverAnswer:
        """Have the manager that launches into the pool's slot go on with the state that is kept there."""
        return cast(RecoverAnswer, self._invoke("reconciler", {"recover": pool}))

    def _call(self, event: Mapping[str, object]) -> Answer:
        return cast(Answer, self._invoke("placement", event))

    def _invoke(self, role: str, event: Mapping[str, object]) -> object:
        function = f"{self.name}-{role}:{ALIAS}"
        try:
            response = self.functions.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        except Exception as error:
            raise FleetError(f"{function} could not be called: {error}") from error
        payload = cast(Readable, response["Payload"]).read()
        if "FunctionError" in response:
            raise FleetError(f"{function} failed: {_failure(payload)}")
        return json.loads(payload)


def _failure(payload: bytes) -> str:
    try:
        problem = json.loads(payload)
        return f"{problem['errorType']}: {problem['errorMessage']}"
    except (ValueError, KeyError, TypeError):
        return payload.decode(errors="replace")[:500]


Clients = Callable[[str], Any]
"""A client for a service of AWS, by the service's name."""


def find_fleet(name: str | None) -> Fleet:
    """The fleet that `find_clients` finds. Raises FleetError."""
    found, client = find_clients(name)
    return Fleet(found, cast(Invoker, client("lambda")))


def find_clients(name: str | None) -> tuple[str, Clients]:
    """The fleet of that name: the local cloud's when it runs that one, else AWS's, by AWS's own environment.

    Without a name: the local cloud's, else the one that SWARMKEEPER_FLEET names. Raises FleetError.
    """
    from local.starter import LocalCloudError, running_cloud  # here, so that AWS users pay nothing for the local cloud

    wanted = name or os.environ.get("SWARMKEEPER_FLEET")
    try:
        local = running_cloud()
    except LocalCloudError as error:
        raise FleetError(str(error)) from error
    if local is not None and wanted in (None, local.fleet):
        return local.fleet, local.client
    if wanted is None:
        raise FleetError("no local cloud is running; name a fleet with --fleet or SWARMKEEPER_FLEET")
    return wanted, _aws_client


def _aws_client(service: str) -> Any:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    # One try: a create that was carried out and answered late must not be sent again by the client itself.
    config = Config(read_timeout=60, retries={"total_max_attempts": 1})
    try:
        return boto3.client(service, config=config)  # type: ignore[call-overload]  # the name is not a literal here
    except BotoCoreError as error:
        raise FleetError(f"AWS can't be called: {error}") from error
