"""The words of the domain as values: resources, nodes, requests, containers, pools.

Units: CPU in nano-CPUs (10**9 = one CPU, as in Docker's `HostConfig.NanoCpus`), memory in bytes, times in
seconds since the epoch (UTC).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NewType

from swarmkeeper.domain.membership import LeaveCause, NodeState

NodeId = NewType("NodeId", str)
"""An EC2 instance id; also the node's host name in the Swarm."""
ContainerName = NewType("ContainerName", str)
PoolName = NewType("PoolName", str)

NANO_CPUS_PER_CPU = 10**9


@dataclass(frozen=True, slots=True)
class Resources:
    """An amount of CPU, memory and generic resources; may be negative as a difference.

    `generic` counts whole units by kind (`gpu`), sorted by kind, kinds of amount 0 left out; `of` sorts.
    """

    nano_cpus: int = 0
    memory_bytes: int = 0
    generic: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, nano_cpus: int = 0, memory_bytes: int = 0, generic: Mapping[str, int] | None = None) -> Resources:
        """The amount with its generic resources in their standard form."""
        kinds = sorted((generic or {}).items())
        return cls(nano_cpus, memory_bytes, tuple((kind, amount) for kind, amount in kinds if amount))

    def __add__(self, other: Resources) -> Resources:
        generic = _summed(self.generic, other.generic, +1)
        return Resources(self.nano_cpus + other.nano_cpus, self.memory_bytes + other.memory_bytes, generic)

    def __sub__(self, other: Resources) -> Resources:
        generic = _summed(self.generic, other.generic, -1)
        return Resources(self.nano_cpus - other.nano_cpus, self.memory_bytes - other.memory_bytes, generic)

    def fits_in(self, room: Resources) -> bool:
        """Whether no amount exceeds `room`."""
        if self.nano_cpus > room.nano_cpus or self.memory_bytes > room.memory_bytes:
            return False
        if not self.generic and not room.generic:
            return True
        return all(amount >= 0 for _, amount in _summed(room.generic, self.generic, -1))

    def __str__(self) -> str:
        generic = "".join(f", {amount} {kind}" for kind, amount in self.generic)
        return (
            f"{self.nano_cpus / NANO_CPUS_PER_CPU:g} CPUs and {round(self.memory_bytes / 2**20, 2):.12g} MiB{generic}"
        )


def _summed(
    one: tuple[tuple[str, int], ...], other: tuple[tuple[str, int], ...], sign: int
) -> tuple[tuple[str, int], ...]:
    if not other:
        return one
    total = dict(one)
    for kind, amount in other:
        total[kind] = total.get(kind, 0) + sign * amount
    return tuple(sorted((kind, amount) for kind, amount in total.items() if amount))


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
    """A Run Command invocation whose end we await; without an id, the claim of a call that is about to send it."""

    id: str
    kind: str
    sent_at: float
    """For a claim, when it was made; 0 once it was given back."""
    attempt: int = 1
    subject: str = ""
    """What it is about where its kind doesn't say it, such as the image that it pulls."""

    @property
    def is_claim(self) -> bool:
        return not self.id


@dataclass(frozen=True, slots=True)
class Notice:
    """What a node's leaving has its containers' owners told: claimed by a call until then, or (None) told."""

    event: str
    claimed_until: float | None


@dataclass(frozen=True, slots=True)
class Leaving:
    """That a node is to leave, since when and why; `by` is when its instance ends whatever we do."""

    cause: LeaveCause
    since: float
    by: float | None = None
    note: str = ""
    """Who asked for it, or what told us."""
    notices: tuple[Notice, ...] = ()


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
    revision: int = 0
    """Grows by one with every change of what its containers hold; tells whether a view of them is current."""
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
    image_id: str = ""
    """The machine image that it was launched from; "" when it is not known."""
    protected: bool = False
    """Whether people have asked that scaling never removes it."""
    leaving: Leaving | None = None
    """Why it drains or leaves; kept while it is LOST, and given up with UNDRAIN."""
    suspected_at: float | None = None
    """When it was first found down in the Swarm and silent, and not since found otherwise."""

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
class HostPort:
    """A port of the host that a container binds; `address` is "" for every interface."""

    port: int
    protocol: str = "tcp"
    address: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a request says of where it may go.

    Expressions are raw, without their prefix (`constraint:`), those from labels first. `links` and `volumes_from`
    are Docker's texts (`ref:alias`, `ref:ro`); `network_mode` may be `container:<ref>`, which is a dependency too.
    `exposed` (`80/tcp`) is compared between containers in host network mode only.
    """

    constraints: tuple[str, ...] = ()
    affinities: tuple[str, ...] = ()
    whitelists: tuple[str, ...] = ()
    ports: tuple[HostPort, ...] = ()
    exposed: tuple[str, ...] = ()
    network_mode: str = "bridge"
    links: tuple[str, ...] = ()
    volumes_from: tuple[str, ...] = ()


NO_RULES = Rules()


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a container is kept: all in seconds, None is for ever.

    `pending_s`: a pending request is refused after this time. `running_s`: removed this long after its start.
    `idle_s`: removed after this time without network traffic.
    """

    pending_s: float | None = None
    running_s: float | None = None
    idle_s: float | None = None


SNAPSHOT_LABEL = "swarmkeeper.snapshot"
"""What asks that a move carries the container's own layer over."""
TENANT_NETWORK = "tenant-"
"""How the name of a tenant's own network begins; the tenant's follows."""


@dataclass(frozen=True, slots=True)
class Request:
    """An accepted wish for one container.

    `id` tells two requests of the same content apart (the caller's idempotency token). `labels` are the
    container's own, which affinities of others compare. `body` is Docker's create body as canonical JSON; the
    domain never looks inside.
    """

    name: ContainerName
    image: str
    reservation: Resources = Resources()
    rules: Rules = NO_RULES
    labels: Mapping[str, str] = field(default_factory=dict)
    network: str = ""
    tenant: str = ""
    movable: bool = False
    lifetime: Lifetime = Lifetime()
    body: str = "{}"
    id: str = ""
    writes: tuple[str, ...] = ()
    """Shared volumes that no other container may write while this one is in the table, `tenant/volume`."""

    @property
    def keeps_layer(self) -> bool:
        """Whether a move carries over what it has written outside of volumes."""
        return self.movable and self.labels.get(SNAPSHOT_LABEL) == "true"


@dataclass(frozen=True, slots=True)
class Image:
    """An image that an engine holds; `tags` are `repository:tag` and `repository@digest`, and may be none."""

    id: str
    tags: tuple[str, ...] = ()


@dataclass(slots=True)
class Occupant:
    """A container as placement sees it on a node: stopped ones and ones not yet created count.

    A value: nobody changes one, but freezing it would be a twelfth of a decision's time.
    `id` is the engine's, "" until it is created; `name` "" means it has none; `swarm_id` is classic Swarm's.
    """

    name: str
    id: str = ""
    swarm_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    reservation: Resources = Resources()
    ports: tuple[HostPort, ...] = ()
    exposed: tuple[str, ...] = ()
    network_mode: str = "bridge"
    image: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a tenant's accepted containers, pending ones included, may be at most; None is no limit."""

    containers: int | None = None
    nano_cpus: int | None = None
    memory_bytes: int | None = None


def unlimited(tenant: str) -> Quota | None:
    """The quota of every tenant of a fleet that has none."""
    return None


@dataclass(frozen=True, slots=True)
class Usage:
    """What counts towards a tenant's quota now."""

    containers: int = 0
    nano_cpus: int = 0
    memory_bytes: int = 0


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
class Snapshot:
    """A container's own layer in the fleet's registry, as it was at `taken_at`; `image` is a reference by digest."""

    image: str
    taken_at: float


@dataclass(frozen=True, slots=True)
class Save:
    """The save of a moving container's own layer: begun, its command sent, done, or void.

    What it has saved may be used only while it is not void: the old copy may have run again since.
    """

    move_id: str
    command_id: str = ""
    stopped_at: float | None = None
    """Since when the container stands still for it."""
    until: float = 0.0
    """When its command is given up; once it is void, before when no other is begun."""
    is_done: bool = False
    void: str = ""
    """Why nothing may be made of it."""

    def rests(self, now: float) -> bool:
        """Whether it came to nothing, and no other is begun yet."""
        return bool(self.void) and now < self.until


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
    started_at: float | None = None
    """When it first ran; kept while it is moved and while it waits to run again."""
    lease_until: float = 0.0
    """Until when the call that works on it has it to itself; 0 when none does."""
    counted: bool = False
    """Whether it counts towards its tenant's quota: accepted under one, or counted since."""
    refusals: int = 0
    """How many engines in a row have refused to run it."""
    rests_until: float = 0.0
    """Before when it isn't tried again, because an engine has refused it."""
    snapshot: Snapshot | None = None
    """Its own layer as it was saved last; what it is made from wherever it has to start anew."""
    save: Save | None = None
    """The save of the move that is under way, or of one that came to nothing."""
    version: int = 0

    @property
    def name(self) -> ContainerName:
        return self.request.name

    @property
    def image(self) -> str:
        """What a copy of it is made from now."""
        return self.request.image if self.snapshot is None else self.snapshot.image

    @property
    def is_saved(self) -> bool:
        """Whether the snapshot has all that it has written: its move has saved it, and it has stood still since."""
        return self.moving_to is not None and self.save is not None and self.save.is_done and not self.save.void


@dataclass(frozen=True, slots=True)
class Pool:
    """One Auto Scaling group of like nodes, as configured.

    `node_capacity` is what one new node offers for reservations (smallest instance type, system reserve taken
    off, overcommit applied). `price_per_hour` is one node's, in whatever currency the operator counts.
    """

    name: PoolName
    role: Role
    group: str
    min: int
    max: int
    node_capacity: Resources
    slots: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    price_per_hour: float = 0.0
    zones: tuple[str, ...] = ()
    """Availability zones in the order in which the group would use them next, as far as is known."""
