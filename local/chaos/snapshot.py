"""What is seen of a cloud from outside at one moment: the table, the engines, the Swarm, the groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

GONE = "gone"
IN_SERVICE = "InService"


@dataclass(frozen=True, slots=True)
class Amount:
    """What is offered or held."""

    nano_cpus: int = 0
    memory_bytes: int = 0
    containers: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.nano_cpus + other.nano_cpus,
            self.memory_bytes + other.memory_bytes,
            self.containers + other.containers,
        )


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node's item in the table with the reservations beside it; `slots` None is no limit."""

    id: str
    pool: str
    role: str
    state: str
    capacity: Amount
    reserved: Amount
    slots: int | None = None
    holds: Mapping[str, Amount] = field(default_factory=dict)
    """By the container's name."""


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """A container's item in the table."""

    name: str
    state: str
    node: str = ""
    moving_to: str = ""
    reason: str = ""
    movable: bool = True


@dataclass(frozen=True, slots=True)
class OnEngine:
    """A container of the fleet as an engine has it."""

    name: str
    running: bool
    has_run: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """A pool's Auto Scaling group; `instances` are lifecycle states by id."""

    pool: str
    desired: int
    least: int
    most: int
    instances: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it. `at` is in seconds of a clock that only goes forward."""

    at: float = 0.0
    nodes: Mapping[str, NodeRecord] = field(default_factory=dict)
    containers: Mapping[str, ContainerRecord] = field(default_factory=dict)
    engines: Mapping[str, tuple[OnEngine, ...]] = field(default_factory=dict)
    """By the instance whose machine lives, whether or not anybody reaches it."""
    swarm: Mapping[str, bool] = field(default_factory=dict)
    """Whether the managers call it ready, by host name."""
    groups: tuple[Group, ...] = ()

    def copies(self, name: str) -> tuple[str, ...]:
        """The machines on which a container of the name runs."""
        return tuple(
            sorted(
                machine
                for machine, held in self.engines.items()
                if any(one.name == name and one.running for one in held)
            )
        )

    def lifecycle(self, instance_id: str) -> str:
        """The state of an instance in its group, "" for one that is in none."""
        return next((group.instances[instance_id] for group in self.groups if instance_id in group.instances), "")

    def in_service(self) -> dict[str, Group]:
        """The instances in service, each with its group."""
        return {
            instance: group
            for group in self.groups
            for instance, lifecycle in group.instances.items()
            if lifecycle == IN_SERVICE
        }
