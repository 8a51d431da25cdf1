"""Clusters and requests as files describe them, in the format of the conformance data, for placement offline.

Beyond that format, CPUs may be fractions, and nodes, containers and requests may have `generic` resources
(`{"gpu": 2}`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    NANO_CPUS_PER_CPU,
    ContainerName,
    HostPort,
    Image,
    Node,
    NodeId,
    Occupant,
    PoolName,
    Request,
    Resources,
    Role,
    Rules,
)
from swarmkeeper.domain.placement.expressions import InvalidExpression
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.labels import slots_from

SWARM_ID_LABEL = "com.docker.swarm.id"
EXPRESSION_LABELS = {
    "affinity": "com.docker.swarm.affinities",
    "constraint": "com.docker.swarm.constraints",
    "whitelist": "com.docker.swarm.whitelists",
}
"""Where a request's labels hold expressions, by the kind that begins them in the environment. In classic's order."""
LARGEST = 2**63 - 1


def _as_tuple(value: object) -> object:
    """Go writes an empty list as null."""
    return tuple(value or ()) if value is None or isinstance(value, list) else value


def _as_map(value: object) -> object:
    """Go writes an empty map as null."""
    return {} if value is None else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
TextMap = Annotated[dict[str, str], BeforeValidator(_as_map)]
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Cpus = Annotated[int | float, Field(ge=0, le=1_000_000)]
Amounts = Annotated[dict[str, Count], BeforeValidator(_as_map)]


class Part(BaseModel):
    """A part of a file; a field that the format doesn't have is refused, it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class PortEntry(Part):
    """A port of the host."""

    container_port: Count = 0
    host_port: Count = 0
    host_ip: str = ""
    protocol: str = "tcp"

    @property
    def host(self) -> HostPort:
        return HostPort(self.host_port, self.protocol, self.host_ip)


Ports = Annotated[tuple[PortEntry, ...], BeforeValidator(_as_tuple)]


class ImageEntry(Part):
    """An image that a node holds."""

    id: str
    tags: Texts = ()


class ContainerEntry(Part):
    """A container of a node; an empty id means that it is not created yet."""

    id: str
    name: str
    labels: TextMap = Field(default_factory=dict)
    cpus: Cpus = 0
    memory: Count = 0
    generic: Amounts = Field(default_factory=dict)
    ports: Ports = ()
    exposed_ports: Texts = ()
    network_mode: str = "bridge"
    running: bool = True
    image: str = ""
    image_id: str = ""

    @property
    def occupant(self) -> Occupant:
        return Occupant(
            name=self.name,
            id=self.id,
            swarm_id=self.labels.get(SWARM_ID_LABEL, ""),
            labels=self.labels,
            reservation=_resources(self.cpus, self.memory, self.generic),
            ports=tuple(port.host for port in self.ports),
            exposed=self.exposed_ports,
            network_mode=self.network_mode,
            image=self.image,
        )


Images = Annotated[tuple[ImageEntry, ...], BeforeValidator(_as_tuple)]
Containers = Annotated[tuple[ContainerEntry, ...], BeforeValidator(_as_tuple)]


class NodeEntry(Part):
    """A node; `cpus` and `memory` may be reserved in full, overcommit is applied already."""

    id: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]
    labels: TextMap
    health: Annotated[int, Field(ge=0, le=100)]
    cpus: Cpus
    memory: Count
    generic: Amounts = Field(default_factory=dict)
    images: Images
    containers: Containers

    def facts(self, *, count_stopped: bool = True) -> NodeFacts:
        """The node as a ready worker, its totals summed; stopped containers are left out unless they count."""
        occupants = tuple(each.occupant for each in self.containers if each.running or count_stopped)
        return NodeFacts(
            Node(
                id=NodeId(self.id),
                pool=PoolName(""),
                role=Role.WORKER,
                state=NodeState.READY,
                created_at=0.0,
                state_since=0.0,
                capacity=_resources(self.cpus, self.memory, self.generic),
                reserved=sum((each.reservation for each in occupants), Resources()),
                containers=len(occupants),
                slots=slots_from(self.labels),
                labels=self.labels,
                health=self.health,
            ),
            occupants=occupants,
            images=tuple(Image(image.id, image.tags) for image in self.images),
            host_name=self.name,
        )


Nodes = Annotated[tuple[NodeEntry, ...], BeforeValidator(_as_tuple)]


class RequestEntry(Part):
    """A request; its expressions stand in the environment and in labels."""

    name: str = ""
    image: str = ""
    env: Texts = ()
    labels: TextMap = Field(default_factory=dict)
    cpus: Cpus = 0
    memory: Count = 0
    generic: Amounts = Field(default_factory=dict)
    ports: Ports = ()
    exposed_ports: Texts = ()
    network_mode: str = "bridge"
    links: Texts = ()
    volumes_from: Texts = ()

    def expressions(self, kind: str) -> tuple[str, ...]:
        """The raw expressions of one kind, those of the label first. Raises InvalidExpression for a bad label."""
        prefix = f"{kind}:"
        given = (line.removeprefix(prefix) for line in self.env if line.startswith(prefix))
        return (*_listed(self.labels, EXPRESSION_LABELS[kind]), *given)

    def request(self) -> Request:
        """The request with all its rules. Raises InvalidExpression for a bad label; other texts are not looked at."""
        expressions = {kind: self.expressions(kind) for kind in EXPRESSION_LABELS}
        plain = self.without_expressions
        rules = replace(
            plain.rules,
            constraints=expressions["constraint"],
            affinities=expressions["affinity"],
            whitelists=expressions["whitelist"],
        )
        return replace(plain, rules=rules)

    @property
    def without_expressions(self) -> Request:
        return Request(
            name=ContainerName(self.name),
            image=self.image,
            reservation=_resources(self.cpus, self.memory, self.generic),
            rules=Rules(
                ports=tuple(port.host for port in self.ports),
                exposed=self.exposed_ports,
                network_mode=self.network_mode,
                links=self.links,
                volumes_from=self.volumes_from,
            ),
            labels=self.labels,
        )


class ClusterFile(Part):
    """A cluster as a file of its own."""

    nodes: Nodes


class BadFile(ValueError):
    """A file's content is not what it should be; `place` says where."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}" if place else problem)


def bad_file(error: ValidationError, place: str = "") -> BadFile:
    """The first problem with its field, such as `nodes.3.cpus`."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return BadFile(": ".join(filter(None, (place, field))), str(first["msg"]))


def check_unique(nodes: Iterable[NodeEntry]) -> None:
    """Raises BadFile when two nodes share an id or a name: neither ties nor expressions could tell them apart."""
    seen: set[tuple[str, str]] = set()
    for number, node in enumerate(nodes):
        for field, value in (("id", node.id), ("name", node.name)):
            if (field, value) in seen:
                raise BadFile(f"nodes.{number}.{field}", f"{value!r} stands here for the second time")
            seen.add((field, value))


_LISTED = TypeAdapter(tuple[str, ...] | None, config=ConfigDict(strict=True))


def _listed(labels: TextMap, label: str) -> tuple[str, ...]:
    """A label's JSON array of expressions; null is an empty one, as Go reads it."""
    text = labels.get(label)
    if text is None:
        return ()
    try:
        return _LISTED.validate_json(text) or ()
    except ValidationError as error:
        raise InvalidExpression(text[:200], f"the label {label} is not a JSON array of expressions") from error


def _resources(cpus: float, memory_bytes: int, generic: Amounts) -> Resources:
    return Resources.of(round(cpus * NANO_CPUS_PER_CPU), memory_bytes, generic)
