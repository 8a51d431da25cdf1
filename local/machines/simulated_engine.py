"""A Docker engine's state and what its API does to it, without HTTP.

Nothing here is thread-safe: whoever calls holds the machines' lock.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import IPv4Network

from local.machines.simulated_container import Layers, SimulatedContainer, new_container, section, strings
from local.machines.simulated_images import full_reference
from local.machines.simulated_network import OverlayNetwork, Refusal
from local.machines.simulated_swarm import MANAGER, SimulatedSwarm, no_leader
from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Resources

VERSION = "20.10.24"
FLEET_LABEL = "swarmkeeper.fleet"
LOCAL_NETWORKS = frozenset({"bridge", "host", "none"})
SWARM_POOL = IPv4Network("10.0.0.0/8")
"""Docker's own default of what a Swarm cuts networks from."""


def no_latency(operation: str) -> float:
    """Seconds to wait before an operation is answered: none."""
    return 0.0


def no_refusal(operation: str) -> Refusal | None:
    """What to answer instead of doing the operation: nothing, it is done."""
    return None


def no_loss(operation: str) -> bool:
    """Whether the answer to an operation that was done gets lost: never."""
    return False


def nobody_listens() -> None:
    """What to do when a container of a fleet ends: nothing, there is no agent."""


@dataclass(slots=True)
class Faults:
    """What a test may do to an engine; operations are named as in `simulated_calls.OPERATIONS`."""

    unreachable: bool = False
    """Its address doesn't answer; the Swarm still hears it."""
    latency: Callable[[str], float] = no_latency
    refusal: Callable[[str], Refusal | None] = no_refusal
    loses_answer: Callable[[str], bool] = no_loss


@dataclass(frozen=True, slots=True)
class Membership:
    """The engine's place in a Swarm."""

    swarm: SimulatedSwarm
    node_id: str


@dataclass(slots=True)
class SimulatedEngine:
    """One node's engine. `tls` is None until it listens on its address."""

    host_name: str
    address: str
    capacity: Resources
    clock: Callable[[], float]
    images: set[str] = field(default_factory=set)
    layers: dict[str, Layers] = field(default_factory=dict)
    """Of the images that were saved."""
    containers: dict[str, SimulatedContainer] = field(default_factory=dict)
    volumes: dict[str, dict[str, object]] = field(default_factory=dict)
    """By name, with the options of their driver."""
    membership: Membership | None = None
    tls: ssl.SSLContext | None = None
    faults: Faults = field(default_factory=Faults)
    gone: bool = False
    halted: bool = False
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it was started last."""
    on_end: Callable[[], None] = nobody_listens

    # Images.
    def pull(self, image: str, layers: Layers = ()) -> None:
        """Hold the image, with what was saved in its layers."""
        self.images.add(full_reference(image))
        self.layers[full_reference(image)] = layers

    def committed(self, reference: str) -> Layers:
        """The layers of a container that stands still, its own the last. Raises Refusal."""
        container = self.container(reference)
        if container.running:
            raise Refusal(HTTPStatus.CONFLICT, f"it is not saved: container {container.id} is running")
        return (*container.below, container.written)

    # Containers.
    def create(self, name: str, body: dict[str, object]) -> str:
        """Create a container; returns its id. Raises Refusal."""
        made = new_container(name, body, capacity=self.capacity, now=time.time())
        image = str(body["Image"])
        if full_reference(image) not in self.images:
            raise Refusal(HTTPStatus.NOT_FOUND, f"No such image: {image}")
        for other in self.containers.values():
            if other.name == name:
                raise Refusal(
                    HTTPStatus.CONFLICT,
                    f'Conflict. The container name "/{name}" is already in use by container "{other.id}". '
                    "You have to remove (or rename) that container to be able to reuse that name.",
                )
        made.below = self.layers.get(full_reference(image), ())
        self.containers[made.id] = made
        self.volumes |= {name: options for name, options in made.volumes.items() if name not in self.volumes}
        return made.id

    def container(self, reference: str) -> SimulatedContainer:
        """Find a container by id, name or the unique beginning of its id. Raises Refusal."""
        if exact := self.containers.get(reference):
            return exact
        if named := [one for one in self.containers.values() if one.name == reference]:
            return named[0]
        matching = [one for one in self.containers.values() if one.id.startswith(reference)]
        if len(matching) != 1:
            raise Refusal(HTTPStatus.NOT_FOUND, f"No such container: {reference}")
        return matching[0]

    def start(self, reference: str) -> bool:
        """Start the container, attaching it to its networks; False when it runs already. Raises Refusal."""
        container = self.container(reference)
        if container.running:
            return False
        try:
            for network in container.networks:
                self._attach(container, network)
        except Refusal:
            self._detach(container)
            raise
        container.status, container.started = "running", datetime.now(UTC)
        container.output.append(b"simulated: started\n")
        return True

    def stop(self, reference: str) -> bool:
        """Stop the container, giving its addresses back; False when it doesn't run. Raises Refusal."""
        container = self.container(reference)
        if not container.running:
            return False
        self._detach(container)
        container.status = "exited"
        container.output.append(b"simulated: stopped\n")
        self._tell_end(container)
        return True

    def remove(self, reference: str, *, force: bool) -> None:
        container = self.container(reference)
        if container.running and not force:
            raise Refusal(
                HTTPStatus.CONFLICT,
                f"You cannot remove a running container {container.id}. "
                "Stop the container before attempting removal or force remove",
            )
        self._detach(container)
        del self.containers[container.id]
        self._tell_end(container)

    def listed(self, *, stopped_too: bool, labels: Iterable[str]) -> list[SimulatedContainer]:
        """Containers that carry all `labels` (each `name` or `name=value`), the newest first."""
        wanted = tuple(labels)
        candidates = (one for one in self.containers.values() if stopped_too or one.running)
        found = (one for one in candidates if all(one.carries(label) for label in wanted))
        return sorted(found, key=lambda container: container.created, reverse=True)

    # Networks.
    def connect(self, network: str, reference: str, endpoint: dict[str, object]) -> None:
        """Attach a container to one network more. Raises Refusal."""
        container = self.container(reference)
        if container.running and network in container.networks:
            raise Refusal(
                HTTPStatus.FORBIDDEN, f"endpoint with name {container.name} already exists in network {network}"
            )
        container.networks[network] = strings(endpoint.get("Aliases"))
        if container.running:
            try:
                self._attach(container, network)
            except Refusal:
                del container.networks[network]
                raise

    def disconnect(self, network: str, reference: str) -> None:
        container = self.container(reference)
        if network not in container.networks:
            raise Refusal(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                f"container {container.id} is not connected to the network {network}",
            )
        if (overlay := self._overlays().get(network)) is not None:
            overlay.detach(container.id)
        del container.networks[network]
        container.addresses.pop(network, None)

    def networks(self) -> list[OverlayNetwork]:
        """The Swarm's networks; a worker lists only those that its running containers use."""
        if self._manages():
            return list(self._overlays().values())
        used = {network for one in self.containers.values() if one.running for network in one.networks}
        return [network for network in self._overlays().values() if network.name in used]

    def create_network(self, body: dict[str, object]) -> OverlayNetwork:
        """Create an overlay network; managers only. Raises Refusal."""
        swarm, name = self.managed(), str(body.get("Name"))
        if name in swarm.networks or name in LOCAL_NETWORKS:
            raise Refusal(HTTPStatus.CONFLICT, f"network with name {name} already exists")
        subnet = _subnet(body) or self._free_subnet()
        if any(subnet.overlaps(network.subnet) for network in swarm.networks.values()):
            raise Refusal(HTTPStatus.FORBIDDEN, "Pool overlaps with other one on this address space")
        made = OverlayNetwork(name, subnet, attachable=bool(body.get("Attachable")), options=_options(body))
        swarm.networks[name] = made
        return made

    def remove_network(self, reference: str) -> None:
        """Remove an overlay network to which nothing is attached; managers only. Raises Refusal."""
        networks = self.managed().networks
        for network in networks.values():
            if reference in {network.id, network.name}:
                network.require_unused()
                del networks[network.name]
                return
        raise Refusal(HTTPStatus.NOT_FOUND, f"network {reference} not found")

    def _free_subnet(self) -> IPv4Network:
        taken = [network.subnet for network in self._overlays().values()]
        return next(each for each in SWARM_POOL.subnets(new_prefix=24) if not any(map(each.overlaps, taken)))

    # The Swarm.
    def managed(self) -> SimulatedSwarm:
        """The Swarm that this engine manages. Raises Refusal when it manages none, or is parted from those that do."""
        if self.membership is None or not self._manages():
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" '
                "to connect this node to swarm and try again.",
            )
        if self.membership.swarm.is_parted(self.membership.node_id):
            raise no_leader()
        return self.membership.swarm

    def force_new_cluster(self) -> None:
        """What `docker swarm init --force-new-cluster` does on a manager that has no leader. Raises Refusal."""
        if self.membership is None or not self._manages():
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "This node is not a swarm manager.")
        self.membership.swarm.force_new_cluster(self.membership.node_id)

    def vanish(self) -> None:
        """The machine ends at once; what ran on it answers to no name any more."""
        self.gone = True
        self.tls = None
        for container in self.containers.values():
            self._detach(container)
        if self.membership:
            self.membership.swarm.lose(self.membership.node_id)

    def halt(self) -> None:
        """The engine ends in good order: what ran on it has stopped when it starts again."""
        self.halted = True
        for container in self.containers.values():
            if container.running:
                self._detach(container)
                container.status = "exited"
                container.output.append(b"simulated: stopped\n")

    def begin_again(self) -> None:
        """The engine is started after `halt`; no container has a restart policy."""
        self.halted = False
        self.began = datetime.now(UTC)

    def leave(self) -> None:
        """Forget the Swarm; containers lose its networks' addresses."""
        for container in self.containers.values():
            self._detach(container)
        self.membership = None

    def info(self) -> dict[str, object]:
        membership = self.membership
        state = "active" if membership else "inactive"
        return {
            "Name": self.host_name,
            "NCPU": self.capacity.nano_cpus // NANO_CPUS_PER_CPU,
            "MemTotal": self.capacity.memory_bytes,
            "ServerVersion": VERSION,
            "OSType": "linux",
            "OperatingSystem": "Simulated GNU/Linux",
            "KernelVersion": "6.1.0-simulated",
            "Driver": "overlay2",
            "Swarm": {
                "NodeID": membership.node_id if membership else "",
                "LocalNodeState": state,
                "ControlAvailable": self._manages(),
            },
        }

    def _tell_end(self, container: SimulatedContainer) -> None:
        if FLEET_LABEL in container.labels:
            self.on_end()

    def _manages(self) -> bool:
        return self.membership is not None and self.membership.swarm.role_of(self.membership.node_id) == MANAGER

    def _overlays(self) -> dict[str, OverlayNetwork]:
        return self.membership.swarm.networks if self.membership else {}

    def _attach(self, container: SimulatedContainer, network: str) -> None:
        if network in LOCAL_NETWORKS:
            return
        overlay = self._overlays().get(network)
        if overlay is None:
            raise Refusal(HTTPStatus.NOT_FOUND, f"network {network} not found")
        self._require_leader(network)
        names = (container.name, *container.networks[network], container.id[:12])
        container.addresses[network] = overlay.attach(container.id, self.host_name, names)

    def _require_leader(self, network: str) -> None:
        """Each attachment is asked of the leader. Real engines wait 20 s for one before they refuse."""
        if self.membership is None:
            return
        try:
            self.membership.swarm.require_leader()
        except Refusal as refusal:
            text = f"Could not attach to network {network}: context deadline exceeded"
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, text) from refusal

    def _detach(self, container: SimulatedContainer) -> None:
        for network in container.networks:
            if (overlay := self._overlays().get(network)) is not None:
                overlay.detach(container.id)
        container.addresses.clear()


def _options(body: dict[str, object]) -> dict[str, str]:
    """The driver's; the client leaves an empty one out."""
    return {key: str(value) for key, value in section(body, "Options").items()}


def _subnet(body: dict[str, object]) -> IPv4Network | None:
    pools = section(body, "IPAM").get("Config")
    if not pools:
        return None
    first = pools[0] if isinstance(pools, list) and pools else {}
    try:
        return IPv4Network(str(first["Subnet"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"invalid subnet: {error}") from error
