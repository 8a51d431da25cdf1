"""A container request as Docker's own create body, admitted and converted to the domain's `Request`.

What may stand in a body is listed, not what may not: an engine that learns a new dangerous option tomorrow
must not make it available to tenants today.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from swarmkeeper.domain.model import ContainerName, Request, Resources, Rules
from swarmkeeper.domain.placement.expressions import InvalidExpression, parse_all
from swarmkeeper.errors import InvalidInput

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?")
RESERVED_NAMES = frozenset({"localhost", "router", "fleet", "ingress", "host", "gateway", "manager", "registry"})
RESERVED_PATTERN = re.compile(r"[0-9-]+|0x[0-9a-f]+|(node-router|join-join)-[0-9]+")
"""Names that a router could take for an address written as a number, and the routers' own; it refuses them too."""
VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*:/[^:]*(:(ro|rw|nocopy|z|Z)(,(ro|rw|nocopy|z|Z))*)?")
CONSTRAINT_LABEL = "com.docker.swarm.constraints"
POLICY_LABEL = "com.docker.swarm.reschedule-policies"
UNSUPPORTED_LABELS = ("com.docker.swarm.affinities", "com.docker.swarm.whitelists")
MOVABLE_LABEL = "swarmkeeper.movable"
TENANT_LABEL = "swarmkeeper.tenant"
OWN_LABELS = frozenset({MOVABLE_LABEL, TENANT_LABEL})
"""Of the labels that begin as ours do, those that a tenant may set; the others are written by the engines' adapter."""
PIDS_LIMIT = 1024
MEMORY_BYTES_MIN = 6 * 2**20
"""Docker's own least memory limit."""
NANO_CPUS_MAX = 1024 * 10**9
MEMORY_BYTES_MAX = 2**45


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _none_as_empty(value: object) -> object:
    return [] if value is None else value


Texts = Annotated[list[str], BeforeValidator(_none_as_empty)]


class Mount(_Model):
    """A named volume or a tmpfs; a host path would show tenants the host."""

    Type: Literal["volume", "tmpfs"]
    Target: str = Field(pattern=r"^/")
    Source: str = Field(default="", pattern=r"^([a-zA-Z0-9][a-zA-Z0-9_.-]*)?$")
    ReadOnly: bool = False


class RestartPolicyBody(_Model):
    """Only `no`: the engine must not start an old copy before we have looked."""

    Name: Literal["", "no"] = "no"
    MaximumRetryCount: Literal[0] = 0


class HostConfigBody(_Model):
    """The options of Docker's HostConfig that tenants may use."""

    NanoCpus: int = Field(default=0, ge=0, le=NANO_CPUS_MAX)
    Memory: int = Field(default=0, ge=0, le=MEMORY_BYTES_MAX)
    PidsLimit: int = Field(default=PIDS_LIMIT, ge=1, le=2**22)
    ShmSize: int = Field(default=64 * 2**20, ge=0, le=2**36)
    ReadonlyRootfs: bool = False
    Init: bool = True
    Binds: Texts = []
    Mounts: list[Mount] = []
    Tmpfs: dict[str, str] = {}
    CapDrop: Texts = []
    SecurityOpt: list[Literal["no-new-privileges", "no-new-privileges:true"]] = []
    RestartPolicy: RestartPolicyBody = RestartPolicyBody()
    NetworkMode: str = ""
    AutoRemove: Literal[False] = False
    Privileged: Literal[False] = False


class EndpointSettings(_Model):
    """How the container is attached to its network."""

    Aliases: Texts = []


class NetworkingConfigBody(_Model):
    """At most the fleet's network; others are not reachable by name through the routers."""

    EndpointsConfig: dict[str, EndpointSettings] = {}


class HealthcheckBody(_Model):
    """Docker's health check; durations in nanoseconds."""

    Test: Texts = []
    Interval: int = 0
    Timeout: int = 0
    StartPeriod: int = 0
    Retries: int = 0


class CreateBody(_Model):
    """Docker's create body with the container's name."""

    Name: str
    Image: str = Field(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@+-]*$")
    Env: Texts = []
    Labels: dict[str, str] = {}
    Cmd: Texts = []
    Entrypoint: Texts = []
    User: str = ""
    WorkingDir: str = ""
    Hostname: str = Field(default="", pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$")
    Tty: bool = False
    OpenStdin: bool = False
    StopSignal: str = ""
    StopTimeout: int = Field(default=10, ge=0, le=600)
    ExposedPorts: dict[str, dict[str, str]] = {}
    Volumes: dict[str, dict[str, str]] = {}
    Healthcheck: HealthcheckBody | None = None
    HostConfig: HostConfigBody = HostConfigBody()
    NetworkingConfig: NetworkingConfigBody = NetworkingConfigBody()


def parse_request(body: object, *, network: str, default_memory_bytes: int) -> Request:
    """The admitted request for the fleet's `network`. Raises InvalidInput that names the field.

    A container without a memory limit could take its node's memory from all others, so it gets the default one.
    """
    try:
        parsed = CreateBody.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "request"
        raise InvalidInput(field, str(first["msg"])) from error
    _check_name(parsed.Name)
    _check_labels(parsed.Labels)
    if parsed.Hostname not in ("", parsed.Name):
        raise InvalidInput("Hostname", "must be empty or the container's name: engines answer to it in the network")
    _check_network(parsed, network)
    _check_binds(parsed.HostConfig.Binds)
    if 0 < parsed.HostConfig.Memory < MEMORY_BYTES_MIN:
        raise InvalidInput("HostConfig.Memory", f"is below Docker's least, {MEMORY_BYTES_MIN} bytes")
    rules = _Rules(parsed)
    memory_bytes = parsed.HostConfig.Memory or default_memory_bytes
    return Request(
        name=ContainerName(parsed.Name),
        image=parsed.Image,
        reservation=Resources(parsed.HostConfig.NanoCpus, memory_bytes),
        rules=Rules(constraints=rules.constraints),
        labels=dict(sorted(parsed.Labels.items())),
        network=network,
        tenant=parsed.Labels.get(TENANT_LABEL, "default"),
        movable=rules.wants_to_move and not _is_bound_to_its_node(parsed, rules.constraints),
        body=_body(parsed, rules.environment, memory_bytes),
    )


class _Rules:
    """Placement rules taken out of a body's labels and environment; label entries first."""

    def __init__(self, body: CreateBody) -> None:
        _refuse_unsupported(body)
        policies = _label_list(body, POLICY_LABEL) + _rules_in(body.Env, "reschedule")
        self.constraints = tuple(_label_list(body, CONSTRAINT_LABEL) + _rules_in(body.Env, "constraint"))
        _check_expressions(self.constraints)
        self.environment = [line for line in body.Env if line.split(":", 1)[0] not in ("constraint", "reschedule")]
        self.wants_to_move = _wants_to_move(policies, body.Labels)


def _rules_in(environment: list[str], kind: str) -> list[str]:
    return [line.split(":", 1)[1] for line in environment if line.startswith(f"{kind}:")]


def _refuse_unsupported(body: CreateBody) -> None:
    """A rule that can't be kept yet is refused: silently ignored, it would place the container wrongly."""
    for kind in ("affinity", "whitelist"):
        if _rules_in(body.Env, kind):
            raise InvalidInput("Env", f"{kind} expressions are not supported yet")
    for label in UNSUPPORTED_LABELS:
        if label in body.Labels:
            raise InvalidInput(f"Labels.{label}", "is not supported yet")


def _check_expressions(constraints: tuple[str, ...]) -> None:
    """All expressions are parsed before anything is decided: a bad one, even soft, refuses the request."""
    try:
        parse_all(constraints)
    except InvalidExpression as error:
        raise InvalidInput("constraint", f"{error.expression!r}: {error.problem}") from error


def _label_list(body: CreateBody, label: str) -> list[str]:
    """A label's JSON array of expressions; classic ignored malformed ones, we refuse them."""
    text = body.Labels.get(label)
    if text is None:
        return []
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"Labels.{label}", "is not a JSON array of expressions") from error
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise InvalidInput(f"Labels.{label}", "is not a JSON array of expressions")
    return entries


def _wants_to_move(policies: list[str], labels: dict[str, str]) -> bool:
    if len(policies) > 1:
        raise InvalidInput("Env", "only one reschedule policy may be given")
    if policies and policies[0] not in ("on-node-failure", "off"):
        raise InvalidInput("Env", f"reschedule:{policies[0]} is not a policy (on-node-failure or off)")
    marked = labels.get(MOVABLE_LABEL, "false")
    if marked not in ("true", "false"):
        raise InvalidInput(f"Labels.{MOVABLE_LABEL}", "is neither true nor false")
    return policies == ["on-node-failure"] or marked == "true"


def _is_bound_to_its_node(body: CreateBody, constraints: tuple[str, ...]) -> bool:
    """Whether node-local state or a hard constraint on one node keeps the container where it is."""
    has_volume = bool(body.Volumes or body.HostConfig.Binds) or any(
        mount.Type == "volume" for mount in body.HostConfig.Mounts
    )
    return has_volume or any(rule.startswith("node==") and not rule.startswith("node==~") for rule in constraints)


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or "--" in name:
        raise InvalidInput("Name", "must be a lower-case DNS label of at most 50 characters without '--'")
    if name in RESERVED_NAMES or RESERVED_PATTERN.fullmatch(name):
        raise InvalidInput("Name", f"{name} is a reserved name")


def _check_labels(labels: dict[str, str]) -> None:
    for label in labels:
        if label.startswith("swarmkeeper.") and label not in OWN_LABELS:
            raise InvalidInput(f"Labels.{label}", "is set by the fleet itself")


def _check_network(body: CreateBody, network: str) -> None:
    if body.HostConfig.NetworkMode not in ("", "default", network):
        raise InvalidInput("HostConfig.NetworkMode", f"must be empty or the fleet's network {network}")
    for other, endpoint in body.NetworkingConfig.EndpointsConfig.items():
        field = f"NetworkingConfig.EndpointsConfig.{other}"
        if other != network:
            raise InvalidInput(field, f"only {network} may be attached")
        if set(endpoint.Aliases) - {body.Name}:
            raise InvalidInput(f"{field}.Aliases", "may hold the container's own name only: others could be taken")


def _check_binds(binds: list[str]) -> None:
    for bind in binds:
        if not VOLUME_NAME.fullmatch(bind):
            raise InvalidInput("HostConfig.Binds", "only named volumes may be mounted, not host paths")


def _body(body: CreateBody, environment: list[str], memory_bytes: int) -> str:
    """Docker's body as canonical JSON, hardened: rules taken out, no privilege gains, processes limited."""
    plain: dict[str, Any] = body.model_dump(exclude={"Name", "Env", "NetworkingConfig"}, exclude_defaults=True)
    plain["Env"] = environment
    host: dict[str, Any] = plain.setdefault("HostConfig", {})
    host.pop("NetworkMode", None)
    host["SecurityOpt"] = ["no-new-privileges"]
    host["PidsLimit"] = body.HostConfig.PidsLimit
    host["Init"] = body.HostConfig.Init
    host["RestartPolicy"] = {"Name": "no"}
    host["Memory"] = host["MemorySwap"] = memory_bytes  # no swap beyond the reservation
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))
