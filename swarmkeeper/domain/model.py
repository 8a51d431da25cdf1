"""The words of the domain as values: resources, nodes, requests, containers, pools.

Units: CPU in nano-CPUs (10**9 = one CPU, as in Docker's `HostConfig.NanoCpus`), memory in bytes, times in
seconds since the epoch (UTC).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NewType

from swarmkeeper.domain.membership import NodeState

NodeId = NewType("NodeId", str)
"""An EC2 instance id; also the node's host name in the Swarm."""
ContainerName = NewType("ContainerName", str)
PoolName = NewType("PoolName", str)

NANO_CPUS_PER_CPU = 10**9


@dataclass(frozen=True, slots=True)
class Resources:
    """An amount of CPU and memory; may be negative as a difference."""

    nano_cpus: int = 0
    memory_bytes: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.nano_cpus + other.nano_cpus, self.memory_bytes + other.memory_bytes)

    def __sub__(self, other: Resources) -> Resources:
        return Resources(self.nano_cpus - other.nano_cpus, self.memory_bytes - other.memory_bytes)

    def fits_in(self, room: Resources) -> bool:
        """Whether neither amount exceeds `room`."""
        return self.nano_cpus <= room.nano_cpus and self.memory_bytes <= room.memory_bytes

    def __str__(self) -> str:
        return f"{self.nano_cpus / NANO_CPUS_PER_CPU:g} CPUs and {self.memory_bytes / 2**20:g} MiB"


NO_RESOURCES = Resources()


class Role(StrEnum):
    """A node's role in the Swarm; containers are placed on workers only."""

    MANAGER = "manager"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Hook:
    """A lifecycle action that waits for us, as Auto Scaling's event names it."""

    group: str
    name: str
    token: str
    deadline: float
    """When Auto Scaling gives up unless a heartbeat comes first."""


@dataclass(frozen=True, slots=True)
class SentCommand:
    """A Run Command invocation whose end we await."""

    id: str
    kind: str
    sent_at: float
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Node:
    """A node's record.

    `capacity` is what may be reserved, overcommit applied. `reserved` and `containers` are the stored totals
    over all containers that hold a reservation here; only reservation transactions change them.
    `epoch` grows by one with every other change of the record.
    """

    id: NodeId
    pool: PoolName
    role: Role
    state: NodeState
    created_at: float
    state_since: float
    epoch: int = 0
    address: str = ""
    swarm_id: str = ""
    capacity: Resources = Resources()
    reserved: Resources = Resources()
    containers: int = 0
    slots: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    health: int = 100
    reason: str = ""
    hook: Hook | None = None
    command: SentCommand | None = None

    @property
    def free(self) -> Resources:
        return self.capacity - self.reserved

    @property
    def name(self) -> str:
        """The host name, which is the instance id; what `node==` expressions and ties compare."""
        return str(self.id)

    def holding(self, reservation: Resources) -> Node:
        """The node as it would be with one more container of this reservation."""
        return replace(self, reserved=self.reserved + reservation, containers=self.containers + 1)


@dataclass(frozen=True, slots=True)
class Request:
    """An accepted wish for one container.

    `constraints` are raw expressions without their `constraint:` prefix, those from labels first.
    `body` is Docker's create body as canonical JSON; the domain never looks inside.
    """

    name: ContainerName
    image: str
    reservation: Resources = Resources()
    constraints: tuple[str, ...] = ()
    network: str = ""
    tenant: str = ""
    movable: bool = False
    body: str = "{}"


class ContainerState(StrEnum):
    """Where a container stands; see architecture.md, "Words"."""

    PENDING = "pending"
    """Accepted; no node can hold it now."""
    RESERVED = "reserved"
    """Holds a reservation on its node; not yet started on the engine."""
    RUNNING = "running"
    REMOVING = "removing"
    """Still holds its reservation until the engine has removed it."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container's record. `node` is None exactly while it is pending.

    While it is moved, `moving_to` names the node that holds a second reservation for it.
    """

    request: Request
    state: ContainerState
    requested_at: float
    node: NodeId | None = None
    reason: str = ""
    engine_id: str = ""
    moving_to: NodeId | None = None
    version: int = 0

    @property
    def name(self) -> ContainerName:
        return self.request.name


@dataclass(frozen=True, slots=True)
class Pool:
    """One Auto Scaling group of like nodes, as configured.

    `node_capacity` is what one new node offers for reservations (smallest instance type, system reserve taken
    off, overcommit applied).
    """

    name: PoolName
    role: Role
    group: str
    min: int
    max: int
    node_capacity: Resources
    slots: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
