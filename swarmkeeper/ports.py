"""The roles that the use cases need filled; adapters fill them for AWS and Docker, fakes fill them in tests.

Every method may raise `Unavailable`; other errors are named. Implementations translate vendors' errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    Container,
    ContainerName,
    Hook,
    Image,
    Node,
    NodeId,
    Occupant,
    PoolName,
    Quota,
    Request,
    Resources,
    Role,
    Save,
    Snapshot,
    Usage,
)
from swarmkeeper.domain.scaling.decision import ScalingDecision
from swarmkeeper.domain.scaling.history import StoredDecision
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.domain.scaling.tracking import Datapoint

RESERVATION_LEASE_S = 60.0
"""How long whoever reserved has the container to itself: longer than any function that starts containers may run."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a node's stored record must be for a reservation to be written.

    `reserved` is the most that its total may be: the node's capacity less the request; `containers` its slots less
    one (None: no limit). `revision`, unless None, is what its revision must be: for requests that depend on what
    the node holds.
    """

    reserved: Resources
    containers: int | None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class NodeChange:
    """What the index of changes tells of a node, tombstones included."""

    id: NodeId
    state: NodeState
    epoch: int
    revision: int
    reserved: Resources
    """Without generic resources: an index can't follow them."""
    containers: int


@dataclass(frozen=True, slots=True)
class NodeContent:
    """What a node holds, read at once but not at one moment.

    `occupants` and `images` are at least as new as whatever was known of the node before the read; `node` may be
    newer than they are.
    """

    node: Node
    occupants: tuple[Occupant, ...]
    images: tuple[Image, ...]


class StateStore(Protocol):
    """The fleet's table. Every write is conditional; a lost race raises a `Conflict`."""

    # Nodes. Totals (`reserved`, `containers`) and the revision are changed by the container methods only, and the
    # revision by `record_images`.
    def add_node(self, node: Node) -> None:
        """Store a new node. Raises NodeChanged with the actual record when the id is known already."""

    def node(self, node_id: NodeId) -> Node | None:
        """Read one node, tombstones included, strongly consistent."""

    def nodes(self) -> tuple[Node, ...]:
        """All nodes that are not GONE, ordered by id; ids may lag a second behind, each record is current."""

    def read_nodes(self, node_ids: Sequence[NodeId]) -> tuple[Node, ...]:
        """Those of these nodes that are known, tombstones included, in no order, strongly consistent."""

    def node_changes(self, since: float) -> tuple[NodeChange, ...]:
        """Nodes whose record was last written after `since`, by their writers' clocks; the index may lag."""

    def contents(self, node_ids: Sequence[NodeId]) -> tuple[NodeContent, ...]:
        """What these nodes hold, those that are not known left out, in no order; see NodeContent."""

    def record_images(self, node_id: NodeId, images: Sequence[Image]) -> None:
        """Replace what is known of the images that the node holds; nothing is written when that is the same.

        Adds 1 to the node's revision. Nothing happens when the node is unknown or GONE. Raises Contention.
        """

    def save_node(self, node: Node) -> Node:
        """Store a changed node if its stored epoch is still `node.epoch`; totals are left as stored.

        Returns the record as stored, its epoch one higher. Raises NodeChanged with the actual record.
        """

    def bury_node(self, node: Node, *, expires_at: float) -> Node:
        """Turn the node into a GONE tombstone without totals, if its stored epoch is still `node.epoch`.

        Raises NodeChanged; InvariantBroken when containers still hold reservations on it.
        """

    # Containers. Whatever changes what a node holds adds 1 to the node's revision.
    def reserve(
        self,
        request: Request,
        node: Node,
        limit: Limit,
        *,
        now: float,
        pending: Container | None = None,
        quota: Quota | None = None,
    ) -> Container:
        """Reserve room on the node and store the container as RESERVED, in one conditional transaction.

        Conditions: the name is unused or PENDING with this same request; the node's epoch and state are those
        given; its stored totals are within `limit`. The caller has it to itself for RESERVATION_LEASE_S.
        `pending` is the request's pending record where the caller has just read it: that saves a try, and raises
        Conflict when it is no longer so. A new request of a tenant with a `quota` counts towards it.
        Raises NameTaken, QuotaExceeded, NodeChanged (actual record), Contention: the first that applies.
        """

    def park(self, request: Request, *, reason: str, now: float, quota: Quota | None = None) -> Container:
        """Store the request as PENDING, or renew the reason of the pending one.

        A new request counts towards the `quota`. Raises NameTaken, QuotaExceeded.
        """

    def confirm(self, container: Container, *, engine_id: str, now: float) -> Container:
        """RESERVED -> RUNNING, started now unless it ran before. Raises Conflict when it is no longer as given."""

    def explain(self, container: Container, *, reason: str) -> Container:
        """Change the reason (e.g. waiting for its image) and give the lease back. Raises Conflict."""

    def lease(self, container: Container, *, until: float) -> Container:
        """Have the container to oneself: whoever works on it under an earlier record meets a Conflict from now on.

        Raises Conflict when it is no longer as given.
        """

    def unplace(self, container: Container, *, reason: str, rests_until: float = 0.0) -> Container:
        """RESERVED or RUNNING -> PENDING, its reservations given back, in one transaction. Raises Conflict.

        With a time to rest until, one more refusal is counted; a start (`confirm`) forgets them. A save is forgotten.
        """

    def begin_removal(self, container: Container) -> Container:
        """Any state -> REMOVING; a pending one is deleted at once by `release` too. Raises Conflict."""

    def release(self, container: Container) -> None:
        """Delete the container and give its reservations back, in one transaction. Raises Conflict."""

    def begin_move(
        self, container: Container, target: Node, limit: Limit, *, lease_until: float = 0.0, save: Save | None = None
    ) -> Container:
        """Hold a second reservation on `target` (`moving_to`), and the container's lease.

        `save` is the one that the move begins with, for a container whose own layer is kept. Raises Conflict,
        NodeChanged, Contention.
        """

    def note_save(
        self, container: Container, save: Save, *, snapshot: Snapshot | None = None, lease_until: float = 0.0
    ) -> Container:
        """Store how its save stands, and what was saved where that is known. Raises Conflict."""

    def finish_move(self, container: Container, *, engine_id: str) -> Container:
        """Make `moving_to` the container's node and give the old reservation and the lease back. Raises Conflict.

        Its save is over, and forgotten; its snapshot stays.
        """

    def cancel_move(self, container: Container) -> Container:
        """Give the reservation on `moving_to` and the lease back; its save stays as it is. Raises Conflict."""

    def restore(self, container: Container, *, over: Container | None = None) -> Container:
        """Store a record made anew of what lives on `container.node`, with its reservation there, in one transaction.

        The reservation is counted whatever room there is, since it is in use. A new one with `counted` counts towards
        its tenant's quota, whatever that allows. `over` is the record of the same request that it takes the place of,
        whose reservations are given back. Raises NameTaken, Conflict when `over` is no longer as given, NodeChanged
        when the node is unknown or GONE.
        """

    def container(self, name: ContainerName) -> Container | None: ...

    def containers_on(self, node_id: NodeId) -> tuple[Container, ...]:
        """Containers that hold a reservation on the node (moves towards it included), ordered by name."""

    def pending(self) -> tuple[Container, ...]:
        """All pending containers, oldest first."""

    def unsettled(self, *, now: float) -> tuple[Container, ...]:
        """Containers that somebody must go on with, ordered by name.

        RESERVED, REMOVING or being moved, with no lease that lasts beyond `now`. New ones may be missing for a
        second; each record is current.
        """

    def containers(self) -> tuple[Container, ...]:
        """All containers, ordered by name; for listings, never for decisions."""

    def containers_page(self, *, limit: int, after: str = "") -> tuple[tuple[Container, ...], str]:
        """Some containers, in an order of the store's own, and what to give as `after` for those that follow.

        Reads at most `limit` records, so there may be none even when others follow; "" says that none follow. What
        is there during a whole listing is in it exactly once. For listings, never for decisions.
        """

    # Tenants. What was accepted without a quota counts towards none until it is counted.
    def usage(self, tenant: str) -> Usage:
        """What counts towards the tenant's quota now."""

    def count(self, container: Container) -> Container:
        """Count the container towards its tenant's quota, whatever room that has; harmless when it is. Raises Conflict.

        For containers that were accepted before their tenant had a quota.
        """

    # Fleet facts: small strings that are decided once or change rarely.
    def fact(self, name: str) -> str | None: ...

    def set_fact_once(self, name: str, value: str) -> str:
        """Store the fact unless it is there; return what is stored now."""

    def replace_fact(self, name: str, *, expected: str | None, value: str | None) -> None:
        """Compare and set; a value of None deletes. Raises Conflict."""

    def claim(self, token: str, meaning: str, *, now: float, expires_at: float) -> str:
        """Remember what a token was first given with, until it expires; returns what is remembered.

        Raises Contention.
        """

    # Scaling.
    def scaling(self, pool: PoolName) -> ScalingState: ...

    def save_scaling(self, state: ScalingState) -> ScalingState:
        """Store if the stored version is still `state.version`; returns it one higher. Raises Conflict."""


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull of an image on a node: claimed by a call that is about to send the command, sent, or failed.

    `until` is when the claim or the command is given up; after a failure, until when it isn't tried again.
    """

    node_id: NodeId
    image: str
    until: float
    command_id: str = ""
    failure: str = ""


class Pulls(Protocol):
    """What is being pulled where, so that calls that need the same image on the same node send one command."""

    def pull(self, node_id: NodeId, image: str) -> Pull | None: ...

    def pulls_on(self, node_id: NodeId) -> tuple[Pull, ...]:
        """The node's, in no order."""

    def save_pull(self, pull: Pull, *, over: Pull | None) -> None:
        """Store it in the place of `over` (None: of none). Raises Conflict when that isn't what is stored."""

    def drop_pull(self, pull: Pull) -> None:
        """Delete it; harmless when it is no longer as given."""


@dataclass(frozen=True, slots=True)
class Watch:
    """When to look at a container whose life is limited, and how idle it was at the last look.

    `sent_bytes` is what it had sent when that last grew, at `changed_at`; None before the first look.
    """

    name: ContainerName
    due: float
    changed_at: float
    sent_bytes: int | None = None


class Watches(Protocol):
    """The containers with a limited life, by the time of their next look."""

    def due_watches(self, *, now: float, most: int) -> tuple[Watch, ...]:
        """Those that are due, the longest overdue first. New ones may be missing for a second."""

    def save_watch(self, watch: Watch) -> None:
        """Store it, whatever was stored."""

    def drop_watch(self, watch: Watch) -> None:
        """Delete it; harmless when it is no longer as given."""


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
    """What EC2 itself says of an instance; `running` is False from shutting-down on, and while it is stopped.

    `terminated`: it has ended for good, and no program runs there any more.
    """

    id: NodeId
    address: str
    instance_type: str
    availability_zone: str
    running: bool
    group: str = ""
    lifecycle: str = "on-demand"
    image_id: str = ""
    launched_at: float = 0.0
    terminated: bool = False


class Fleet(Protocol):
    """Auto Scaling and EC2."""

    def group(self, group: str) -> Group: ...

    def set_desired(self, group: str, desired: int) -> None: ...

    def refreshing(self, group: str) -> bool:
        """Whether an instance refresh of the group runs, or is being undone."""

    def image_id(self, group: str) -> str:
        """The machine image that the group launches now; "" when its template names none."""

    def terminate(self, node_id: NodeId) -> None:
        """End exactly this instance and lower the desired capacity with it; harmless when already ending.

        Raises UnsafeAction when the group refuses.
        """

    def replace(self, node_id: NodeId) -> None:
        """End exactly this instance; its group launches another in its place. Harmless when already ending.

        Raises UnsafeAction when the group refuses.
        """

    def complete(self, hook: Hook, node_id: NodeId, *, proceed: bool) -> bool:
        """Complete the lifecycle action (CONTINUE or ABANDON); False when no such action waits any more."""

    def heartbeat(self, hook: Hook, node_id: NodeId) -> bool:
        """Extend the action; False when no such action waits any more."""

    def instance(self, node_id: NodeId) -> InstanceFacts | None: ...

    def instances(self, node_ids: Sequence[NodeId]) -> tuple[InstanceFacts, ...]:
        """Those of these instances that EC2 describes, in no order."""

    def type_capacity(self, instance_type: str) -> Resources:
        """vCPUs and memory of an instance type."""


class Routes(Protocol):
    """The load balancer in front of the nodes' routers."""

    def withdraw(self, node_id: NodeId) -> None:
        """Send nothing new there; harmless when nothing is."""

    def restore(self, node_id: NodeId) -> None:
        """Send requests there again, once its router is found to answer; harmless when they are."""


class DecisionLog(Protocol):
    """What was decided about the pools' sizes in the last 30 days; nothing decides from it."""

    def record(self, decision: ScalingDecision, *, at: float) -> None:
        """Keep the decision; the same one of the same moment again is harmless."""

    def decisions(
        self, pool: PoolName | None, *, since: float, limit: int, after: str = ""
    ) -> tuple[tuple[StoredDecision, ...], str]:
        """At most `limit` decisions since that time, newest first, and what to give as `after` for those that follow.

        A pool of None stands for all. "" says that none follow. Raises InvalidInput when `after` is no position.
        """

    def decision(self, decision_id: str) -> StoredDecision | None:
        """One decision; None for an id that is unknown, expired or none of ours."""


class Alarms(Protocol):
    """CloudWatch alarms as they stand."""

    def in_alarm(self, fleet: str) -> frozenset[PoolName | None]:
        """Pools of the fleet with an alarm in ALARM that wakes the scaler; None stands for one of the whole fleet.

        Composite alarms and metric maths are among them when their tags, or their metrics' dimensions, say whose.
        """


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """One metric of CloudWatch, one value a period; `statistic` is CloudWatch's word, e.g. `Average`."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    period_s: int


class Measures(Protocol):
    """CloudWatch's metrics."""

    def series(self, queries: Sequence[MetricQuery], *, start: float, end: float) -> tuple[tuple[Datapoint, ...], ...]:
        """Each query's datapoints from `start` on and before `end`, oldest first; empty for what nobody measured."""


class Command(StrEnum):
    """What is run on nodes; the values name the documents, `<fleet>-<value>`."""

    CSR = "node-csr"
    JOIN = "node-join"
    LEAVE = "node-leave"
    PULL = "node-pull"
    SAVE = "node-save"
    """Commits a container that stands still and pushes it; prints the digest. On Linux nodes only."""


WINDOWS_DOCUMENT = "-windows"
"""What ends the name of the document of the same command for Windows nodes."""


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
    labels: Mapping[str, str] = field(default_factory=dict)
    """The standard labels that placement knows: `ostype`, `operatingsystem`, `kernelversion`, `storagedriver`."""


@dataclass(frozen=True, slots=True)
class EngineContainer:
    """A fleet container as the engine lists it; `has_run` is False for one that was never started."""

    id: str
    name: str
    running: bool
    labels: Mapping[str, str] = field(default_factory=dict)
    has_run: bool = True
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Layer:
    """A container's own layer: its size in bytes, and how many layers lie below it."""

    size_bytes: int
    below: int


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """What an engine tells of the request that made a container; `started_at` is its last start there.

    `doubt` is "" where the request is the accepted one, to the last field; else it says why it isn't: it would make
    such a container, but what it asked of placement is not known. `image` is what it was really made from.
    """

    request: Request
    started_at: float | None
    doubt: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class LogTail:
    """The end of what a container has written, to standard output and error; `is_cut` when more was asked for."""

    text: bytes
    is_cut: bool = False


class Engines(Protocol):
    """The engines' API over mutual TLS. Calls are idempotent: an existing container of the name is reused."""

    def facts(self, node: Node) -> EngineFacts: ...

    def create(self, node: Node, request: Request, *, image: str = "") -> str:
        """Create the container, attached to its network under its name, not started; returns its id.

        From `image` where that is given, instead of the request's: its own layer as it was saved. Raises ImageMissing,
        InvalidInput when the engine refuses the request itself, Conflict when something else has the name there,
        Unreachable and Declined when it is certain that nothing was made.
        """

    def start(self, node: Node, engine_id: str) -> None:
        """Start the container; harmless when it runs.

        Raises InvalidInput when its command can't be run, Conflict when it is gone, Unreachable and Declined when
        it is certain that it doesn't run.
        """

    def stop(self, node: Node, name: ContainerName, *, network: str) -> None:
        """Stop the container and disconnect it from its network; harmless when it is not there."""

    def resume(self, node: Node, name: ContainerName, *, network: str) -> None:
        """Undo `stop`: connect under its name again and start."""

    def remove(self, node: Node, name_or_id: str) -> None:
        """Remove the fleet's container of that name or whole id by force; harmless when it is not there."""

    def containers(self, node: Node) -> tuple[EngineContainer, ...]:
        """The fleet's containers on this engine, running or not."""

    def layer(self, node: Node, engine_id: str) -> Layer | None:
        """The container's own layer; None when it is gone."""

    def recall(self, node: Node, engine_id: str) -> EngineRecord | None:
        """What the engine tells of the request that made the fleet's container; None when it is gone."""

    def ended_with_engine(self, node: Node, engine_id: str, *, within_s: float | None = None) -> bool:
        """Whether the container stands still because its engine was started anew since, not by itself.

        With `within_s` only if it ended so short a time before the engine's start, or since. False when it runs, never
        ran, or is gone, and where the engine can't tell.
        """

    def logs(self, node: Node, name: ContainerName, *, tail: int, most_bytes: int) -> LogTail | None:
        """The last `tail` lines, and of those the last `most_bytes`; None when the container is not there."""

    def images(self, node: Node) -> tuple[Image, ...]:
        """The images that the engine holds, ordered by id."""

    def sent_bytes(self, node: Node, engine_id: str) -> int | None:
        """What the container has sent over its networks since it started; None while it doesn't run."""


class Routers(Protocol):
    """The nodes' routers, where tenants have networks of their own. Each call raises Unavailable as an engine's do."""

    def networks(self, node: Node) -> frozenset[str] | None:
        """What the node's router is on, running or not; None where there is none that may be on tenants' networks."""

    def attach(self, node: Node, network: str) -> None:
        """Make the network unless it is there, and put the node's router on it; harmless when it is.

        Raises Declined where the router may not be on it.
        """

    def detach(self, node: Node, network: str) -> None:
        """Take the node's router off the network; harmless when it isn't on it."""

    def used(self, node: Node) -> frozenset[str]:
        """The networks of all containers of the node's engine, routers and stopped ones among them."""


@dataclass(frozen=True, slots=True)
class SwarmNode:
    """A node as the Swarm's managers list it; `host_name` is the instance id."""

    id: str
    host_name: str
    ready: bool
    role: Role
    labels: Mapping[str, str] = field(default_factory=dict)
    reachable: bool | None = None
    """Whether the other managers reach it, for one that has a vote; None for a node that has none."""

    @property
    def seems_dead(self) -> bool:
        return not self.ready or self.reachable is False


class Swarm(Protocol):
    """The Swarm through the engine of a live manager (its node is given: it holds the address).

    Each call raises NoLeader when that answers that the Swarm has none.
    """

    def nodes(self, manager: Node) -> tuple[SwarmNode, ...]: ...

    def managers(self, manager: Node) -> tuple[SwarmNode, ...]:
        """Those of its nodes that are managers."""

    def label(self, manager: Node, swarm_id: str, labels: Mapping[str, str]) -> None: ...

    def demote(self, manager: Node, swarm_id: str) -> None:
        """Have a manager become a worker; harmless when it is one, or is not listed. It keeps its vote for a moment.

        Raises Declined when that would cost the quorum.
        """

    def remove(self, manager: Node, swarm_id: str) -> None:
        """Remove a node that is down, a lost manager too; harmless when it is not listed."""

    def join_tokens(self, manager: Node) -> Mapping[Role, str]: ...

    def rotate_join_tokens(self, manager: Node) -> None:
        """Have the Swarm make new tokens: those of before let nobody in any more, members stay. Raises Conflict."""

    def ensure_network(self, manager: Node, name: str, subnet: str | None) -> None:
        """Make the attachable overlay network unless it is there; the Swarm cuts a `subnet` where none is given.

        Raises Declined when the Swarm has none left to give.
        """

    def tenant_networks(self, manager: Node) -> tuple[str, ...]:
        """The names of tenants' networks, ordered."""

    def remove_network(self, manager: Node, name: str) -> bool:
        """Remove the network; False when something is attached to it. Harmless when it is not there."""


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
    TOKENS_DUE = "Tokens Due"
    """Somebody has asked for new join tokens."""
    INVENTORY_DUE = "Inventory Due"
    CONTAINER_ENDED = "Container Ended"
    """From a node's own agent: something of the fleet's has died there or was removed."""
    CAPACITY_NEEDED = "Capacity Needed"
    """Something waits for a node, or has taken room that the headroom counts with: at most one in some seconds."""
    CONTAINER_EXPIRED = "Container Expired"
    """For whoever listens: its time was up, and it is gone."""
    CONTAINER_REFUSED = "Container Refused"
    """For whoever listens: accepted, but an engine found that it can't be made, and it is gone."""
    NODE_LOST = "Node Lost"
    """For whoever listens: down in the Swarm and silent."""
    CONTAINER_DRAINING = "Container Draining"
    """For whoever listens: its node is to leave and it can't be moved; how long it is waited for, and what then."""
    CONTAINER_LOST = "Container Lost"
    """For whoever listens: what it had written went with its node; it starts anew elsewhere, from its image, or from
    its own layer as that was saved last."""


class Events(Protocol):
    """The event bus."""

    def publish(self, event: Event, details: Sequence[Mapping[str, str]]) -> None:
        """Publish one event a detail; all or Unavailable."""


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""
