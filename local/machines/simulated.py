"""Machines without root or Linux: simulated engines that speak the Engine API over real TLS."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from threading import RLock

from local.machines import CommandOutput, Instance, MachineError, NodeCommand
from local.machines.gateway import Endpoint, Gateway
from local.machines.simulated_agents import QUIET_S, SimulatedAgents
from local.machines.simulated_api import EngineEndpoint
from local.machines.simulated_container import SimulatedContainer
from local.machines.simulated_documents import SimulatedNode, Surroundings, run_document
from local.machines.simulated_engine import SimulatedEngine
from local.machines.simulated_images import SimulatedRegistry, full_reference
from local.machines.simulated_swarm import SimulatedSwarm
from local.machines.simulated_types import capacity_of_type
from swarmkeeper.domain.model import Resources

ENGINE_PORT = 2376
NOT_PROXIED = "127.0.0.1,localhost"


class SimulatedMachines:
    """The machines of one local cloud, simulated in this process. Thread-safe.

    `read_token(role)` answers what a node would read with its own role; a LookupError or an error of botocore's
    fails the script that reads it. Every node holds `baked_images`; others
    are missing until they are pulled, which fails for those that begin like one of `nonexistent`. The Swarm shows
    a vanished node as Down after `down_after_s` by `clock` (real engines take 13 s), and has no leader for `election_s`
    after the loss of one. `tell_end(instance id)` is
    called, on a thread of its own, `quiet_s` after a fleet's container has ended there, as a node's agent does.
    """

    kind = "simulated"

    def __init__(
        self,
        read_token: Callable[[str], str],
        *,
        baked_images: Collection[str] = (),
        nonexistent: tuple[str, ...] = (),
        capacity_of: Callable[[str], Resources] = capacity_of_type,
        down_after_s: float = 0.0,
        election_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        tell_end: Callable[[str], None] | None = None,
        quiet_s: float = QUIET_S,
    ) -> None:
        self._clock = clock
        self._capacity_of = capacity_of
        self._baked_images = frozenset(full_reference(image) for image in baked_images)
        self._captured: dict[str, frozenset[str]] = {}
        self._lock = RLock()
        self._nodes: dict[str, SimulatedNode] = {}
        self._endpoints: dict[str, EngineEndpoint] = {}
        self._by_address: dict[str, str] = {}
        self._agents = SimulatedAgents(tell_end or (lambda _: None), quiet_s=quiet_s)
        self._outside = Surroundings(
            lock=self._lock,
            engine_at=self._engine_at,
            read_token=read_token,
            new_swarm=lambda: SimulatedSwarm(clock, down_after_s, election_s),
            registry=SimulatedRegistry(nonexistent),
            something_ended=self._agents.something_ended,
        )
        self._gateway = Gateway(self._listening_at)

    @property
    def extra_env(self) -> Mapping[str, str]:
        """What a function's environment needs so that it reaches the engines at their private addresses."""
        return {"HTTPS_PROXY": self._gateway.url, "NO_PROXY": NOT_PROXIED}

    def start(self, instance: Instance) -> None:
        """Make the machine; there is no user data to wait for. Raises MachineError when the id or address is taken."""
        capacity = self._capacity_of(instance.instance_type)
        baked = self._baked_images | self._captured.get(instance.image_id, frozenset())
        engine = SimulatedEngine(instance.id, instance.private_ip, capacity, self._clock, set(baked))
        with self._lock:
            if instance.id in self._nodes or instance.private_ip in self._by_address:
                raise MachineError(f"{instance.id} or its address {instance.private_ip} is in use")
            self._nodes[instance.id] = SimulatedNode(engine)
            self._endpoints[instance.id] = EngineEndpoint(engine, self._lock)
            self._by_address[instance.private_ip] = instance.id

    def stop(self, instance_id: str) -> None:
        with self._lock:
            node = self._nodes.pop(instance_id, None)
            if node is None:
                return
            node.engine.vanish()
            del self._by_address[node.engine.address]
            endpoint = self._endpoints.pop(instance_id)
        self._gateway.drop(endpoint)

    def run(self, instance_id: str, command: NodeCommand) -> CommandOutput:
        with self._lock:
            node = self._nodes.get(instance_id)
        if node is None:
            raise MachineError(f"{instance_id} is not running")
        output = run_document(node, command, self._outside)
        if node.engine.gone:
            raise MachineError(f"{instance_id} ended while it ran {command.document}")
        return output

    def capture(self, instance_id: str, image_id: str) -> None:
        """A simulated machine's disk holds its engine's images and nothing else."""
        engine = self.engine(instance_id)
        with self._lock:
            self._captured[image_id] = frozenset(engine.images)

    def attach(self, instance_id: str, volume_id: str, gigabytes: int) -> None:
        """A simulated machine runs no user data, which is what asks for volumes."""
        raise MachineError(f"{instance_id} is simulated: it has no devices")

    def running(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._nodes)

    def close(self) -> None:
        self._agents.close()
        for instance_id in self.running():
            self.stop(instance_id)
        self._gateway.close()

    def engine(self, instance_id: str) -> SimulatedEngine:
        """The instance's engine, to look at or to give faults to. Raises MachineError when it is gone."""
        with self._lock:
            if node := self._nodes.get(instance_id):
                return node.engine
        raise MachineError(f"{instance_id} is not running")

    def cut_off(self, instance_id: str) -> None:
        """Part the instance from the network: neither we nor the Swarm reach it, but it runs on."""
        engine = self.engine(instance_id)
        with self._lock:
            engine.faults.unreachable = True
            if engine.membership:
                engine.membership.swarm.lose(engine.membership.node_id)

    def part_from_us(self, instance_id: str) -> None:
        """Its address doesn't answer us any more; the Swarm hears it."""
        self.engine(instance_id).faults.unreachable = True

    def part_from_managers(self, instance_id: str) -> None:
        """The Swarm hears no more of it; it answers us."""
        engine = self.engine(instance_id)
        with self._lock:
            if engine.membership:
                engine.membership.swarm.lose(engine.membership.node_id)

    def halt(self, instance_id: str) -> None:
        """Stop the engine, and with it what runs there; `heal` starts it, and no container has a restart policy."""
        engine = self.engine(instance_id)
        with self._lock:
            engine.halt()
        self.cut_off(instance_id)

    def held(self) -> Mapping[str, tuple[SimulatedContainer, ...]]:
        """Every live machine's containers at one moment, whether or not it can be reached."""
        with self._lock:
            nodes = {instance_id: node.engine for instance_id, node in self._nodes.items()}
            return {
                instance_id: tuple(replace(one) for one in engine.containers.values())
                for instance_id, engine in nodes.items()
            }

    def heal(self, instance_id: str) -> None:
        """Undo `cut_off`, the partitions and `halt`, after which the node's agent looks for what has ended."""
        engine = self.engine(instance_id)
        with self._lock:
            begins_to_listen = engine.halted and engine.membership is not None
            if engine.halted:
                engine.begin_again()
            engine.faults.unreachable = False
            if engine.membership:
                engine.membership.swarm.hear(engine.membership.node_id)
        if begins_to_listen:
            self._agents.began_to_listen(instance_id)

    def _engine_at(self, address: str) -> SimulatedEngine | None:
        with self._lock:
            node = self._nodes.get(self._by_address.get(address, ""))
        return node.engine if node and not node.engine.faults.unreachable else None

    def _listening_at(self, host: str, port: int) -> Endpoint | None:
        engine = self._engine_at(host) if port == ENGINE_PORT else None
        if engine is None or engine.tls is None:
            return None
        with self._lock:
            return self._endpoints.get(engine.host_name)
