"""The roles that the use cases need filled; adapters fill them for AWS and Docker, fakes fill them in tests.

Every method may raise `Unavailable`; other errors are named. Implementations translate vendors' errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from swarmkeeper.domain.model import (
    Container,
    ContainerName,
    Hook,
    Node,
    NodeId,
    PoolName,
    Request,
    Resources,
    Role,
)
from swarmkeeper.domain.scaling.state import ScalingState


@dataclass(frozen=True, slots=True)
class Limit:
    """What a node's stored totals may be at most for a reservation to be written.

    `reserved` is the node's capacity less the request; `containers` its slots less one (None: no limit).
    """

    reserved: Resources
    containers: int | None


class StateStore(Protocol):
    """The fleet's table. Every write is conditional; a lost race raises a `Conflict`."""

    # Nodes. Totals (`reserved`, `containers`) are changed by the container methods only.
    def add_node(self, node: Node) -> None:
        """Store a new node. Raises NodeChanged with the actual record when the id is known already."""

    def node(self, node_id: NodeId) -> Node | None:
        """Read one node, tombstones included, strongly consistent."""

    def nodes(self) -> tuple[Node, ...]:
        """All nodes that are not GONE, ordered by id; ids may lag a second behind, each record is current."""

    def save_node(self, node: Node) -> Node:
        """Store a changed node if its stored epoch is still `node.epoch`; totals are left as stored.

        Returns the record as stored, its epoch one higher. Raises NodeChanged with the actual record.
        """

    def bury_node(self, node: Node, *, expires_at: float) -> Node:
        """Turn the node into a GONE tombstone without totals, if its stored epoch is still `node.epoch`.

        Raises NodeChanged; InvariantBroken when containers still hold reservations on it.
        """

    # Containers.
    def reserve(self, request: Request, node: Node, limit: Limit, *, now: float) -> Container:
        """Reserve room on the node and store the container as RESERVED, in one conditional transaction.

        Conditions: the name is unused or PENDING with this same request; the node's epoch and state are those
        given; its stored totals are at most `limit`. Raises NameTaken, NodeChanged (actual record), Contention.
        """

    def park(self, request: Request, *, reason: str, now: float) -> Container:
        """Store the request as PENDING, or renew the reason of the pending one. Raises NameTaken."""

    def confirm(self, container: Container, *, engine_id: str) -> Container:
        """RESERVED -> RUNNING. Raises Conflict when it is no longer as given."""

    def explain(self, container: Container, *, reason: str) -> Container:
        """Change only the reason (e.g. waiting for its image). Raises Conflict."""

    def unplace(self, container: Container, *, reason: str) -> Container:
        """RESERVED or RUNNING -> PENDING, its reservations given back, in one transaction. Raises Conflict."""

    def begin_removal(self, container: Container) -> Container:
        """Any state -> REMOVING; a pending one is deleted at once by `release` too. Raises Conflict."""

    def release(self, container: Container) -> None:
        """Delete the container and give its reservations back, in one transaction. Raises Conflict."""

    def begin_move(self, container: Container, target: Node, limit: Limit) -> Container:
        """Hold a second reservation on `target` (`moving_to`). Raises Conflict, NodeChanged, Contention."""

    def finish_move(self, container: Container, *, engine_id: str) -> Container:
        """Make `moving_to` the container's node and give the old reservation back. Raises Conflict."""

    def cancel_move(self, container: Container) -> Container:
        """Give the reservation on `moving_to` back. Raises Conflict."""

    def container(self, name: ContainerName) -> Container | None: ...

    def containers_on(self, node_id: NodeId) -> tuple[Container, ...]:
        """Containers that hold a reservation on the node (moves towards it included), ordered by name."""

    def pending(self) -> tuple[Container, ...]:
        """All pending containers, oldest first."""

    def containers(self) -> tuple[Container, ...]:
        """All containers, ordered by name; for listings, never for decisions."""

    # Fleet facts: small strings that are decided once or change rarely.
    def fact(self, name: str) -> str | None: ...

    def set_fact_once(self, name: str, value: str) -> str:
        """Store the fact unless it is there; return what is stored now."""

    def replace_fact(self, name: str, *, expected: str | None, value: str | None) -> None:
        """Compare and set; a value of None deletes. Raises Conflict."""

    # Scaling.
    def scaling(self, pool: PoolName) -> ScalingState: ...

    def save_scaling(self, state: ScalingState) -> ScalingState:
        """Store if the stored version is still `state.version`; returns it one higher. Raises Conflict."""


@dataclass(frozen=True, slots=True)
class GroupInstance:
    """An instance as its Auto Scaling group lists it; `lifecycle` is AWS's word, e.g. `Terminating:Wait`."""

    id: NodeId
    lifecycle: str


@dataclass(frozen=True, slots=True)
class Group:
    """An Auto Scaling group as it stands."""

    name: str
    min: int
    max: int
    desired: int
    instances: tuple[GroupInstance, ...] = ()
    suspended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """What EC2 itself says of an instance; `running` is False from shutting-down on."""

    id: NodeId
    address: str
    instance_type: str
    availability_zone: str
    running: bool
    group: str = ""
    lifecycle: str = "on-demand"
    image_id: str = ""


class Fleet(Protocol):
    """Auto Scaling and EC2."""

    def group(self, group: str) -> Group: ...

    def set_desired(self, group: str, desired: int) -> None: ...

    def terminate(self, node_id: NodeId) -> None:
        """End exactly this instance and lower the desired capacity with it; harmless when already ending.

        Raises UnsafeAction when the group refuses.
        """

    def complete(self, hook: Hook, node_id: NodeId, *, proceed: bool) -> bool:
        """Complete the lifecycle action (CONTINUE or ABANDON); False when no such action waits any more."""

    def heartbeat(self, hook: Hook, node_id: NodeId) -> bool:
        """Extend the action; False when no such action waits any more."""

    def instance(self, node_id: NodeId) -> InstanceFacts | None: ...

    def type_capacity(self, instance_type: str) -> Resources:
        """vCPUs and memory of an instance type."""


class Alarms(Protocol):
    """CloudWatch alarms as they stand."""

    def in_alarm(self, fleet: str) -> frozenset[PoolName | None]:
        """Pools of the fleet with an alarm in ALARM; None stands for an alarm of the whole fleet."""


class Command(StrEnum):
    """What is run on nodes; the values name the documents, `<fleet>-<value>`."""

    CSR = "node-csr"
    JOIN = "node-join"
    LEAVE = "node-leave"
    PULL = "node-pull"


class CommandStatus(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Failed, timed out or cancelled."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command stands; `output` and `error` may be cut by Systems Manager."""

    status: CommandStatus
    output: str = ""
    error: str = ""


class NodeCommands(Protocol):
    """Systems Manager Run Command."""

    def send(self, node_id: NodeId, command: Command, parameters: Mapping[str, str]) -> str:
        """Start the command; returns its id. Raises AgentNotReady."""

    def result(self, command_id: str, node_id: NodeId) -> CommandResult: ...


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself."""

    name: str
    capacity: Resources
    version: str
    swarm_state: str


@dataclass(frozen=True, slots=True)
class EngineContainer:
    """A fleet container as the engine lists it."""

    id: str
    name: str
    running: bool
    labels: Mapping[str, str] = field(default_factory=dict)


class Engines(Protocol):
    """The engines' API over mutual TLS. Calls are idempotent: an existing container of the name is reused."""

    def facts(self, node: Node) -> EngineFacts: ...

    def create(self, node: Node, request: Request) -> str:
        """Create the container, attached to its network under its name, not started; returns its id.

        Raises ImageMissing, InvalidInput when the engine refuses the request itself.
        """

    def start(self, node: Node, engine_id: str) -> None: ...

    def stop(self, node: Node, name: ContainerName, *, network: str) -> None:
        """Stop the container and disconnect it from its network; harmless when it is not there."""

    def resume(self, node: Node, name: ContainerName, *, network: str) -> None:
        """Undo `stop`: connect under its name again and start."""

    def remove(self, node: Node, name_or_id: str) -> None:
        """Remove the fleet's container of that name or whole id by force; harmless when it is not there."""

    def containers(self, node: Node) -> tuple[EngineContainer, ...]:
        """The fleet's containers on this engine, running or not."""


@dataclass(frozen=True, slots=True)
class SwarmNode:
    """A node as the Swarm's managers list it; `host_name` is the instance id."""

    id: str
    host_name: str
    ready: bool
    role: Role


class Swarm(Protocol):
    """The Swarm through the engine of a live manager (its node is given: it holds the address)."""

    def nodes(self, manager: Node) -> tuple[SwarmNode, ...]: ...

    def label(self, manager: Node, swarm_id: str, labels: Mapping[str, str]) -> None: ...

    def remove(self, manager: Node, swarm_id: str) -> None:
        """Remove a node that is down; harmless when it is not listed."""

    def join_tokens(self, manager: Node) -> Mapping[Role, str]: ...

    def ensure_network(self, manager: Node, name: str, subnet: str) -> None:
        """Make the attachable overlay network unless it is there."""


class JoinTokens(Protocol):
    """Where nodes read the tokens with their own role."""

    def publish(self, tokens: Mapping[Role, str]) -> None: ...


class Certificates(Protocol):
    """The fleet's certificate authority; only the registrar is given one."""

    def ensure(self) -> None:
        """Make the authority and the functions' client certificates once; safe to repeat and to race."""

    def authority(self) -> str:
        """The authority's certificate, PEM."""

    def sign(self, signing_request: str, *, node_id: NodeId, address: str) -> str:
        """Sign a node's request for server use, for the given id and address only; returns PEM.

        Names inside the request are ignored. Raises InvalidInput when it is not a valid request.
        """


class Event(StrEnum):
    """Our own events' detail types."""

    NODE_READY = "Node Ready"
    NODE_DRAINING = "Node Draining"
    MEMBERSHIP_CHECK = "Membership Check"
    LAUNCH_ABANDONED = "Launch Abandoned"
    PENDING_RETRY = "Pending Retry"


class Events(Protocol):
    """The event bus."""

    def publish(self, event: Event, details: Sequence[Mapping[str, str]]) -> None:
        """Publish one event a detail; all or Unavailable."""


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""
