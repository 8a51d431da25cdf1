"""The placement function over a table in memory and simulated engines, as `bench fleet` calls it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from swarmkeeper.adapters.engine import ClientIdentity, DockerEngines, EngineClients
from swarmkeeper.adapters.memory.decisions import MemoryDecisions
from swarmkeeper.adapters.memory.store import MemoryStateStore
from swarmkeeper.adapters.memory.upkeep import MemoryPulls, MemoryWatches
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Node, NodeId, Pool, PoolName, Resources, Role
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.edge.patterns import compile_re2
from swarmkeeper.edge.requests import Admission
from swarmkeeper.edge.settings_admission import AdmissionSettings, TenantSettings
from swarmkeeper.errors import AgentNotReady
from swarmkeeper.ports import Command, CommandResult, Event
from swarmkeeper.services.acceptance import Acceptance
from swarmkeeper.services.departures import Departures
from swarmkeeper.services.inventory import Inventory
from swarmkeeper.services.pending import PendingQueue
from swarmkeeper.services.placer import Placer
from swarmkeeper.services.pulls import Puller
from swarmkeeper.services.remover import Remover
from swarmkeeper.services.reservations import Reserver
from swarmkeeper.services.starter import Starter
from swarmkeeper.services.tokens import RotationRequests
from swarmkeeper.services.view import FleetView

if TYPE_CHECKING:
    from functions.placement.http import HttpApi
    from local.machines.simulated_fleet import Running

FLEET, NETWORK, IMAGE, INSTANCE_TYPE = "bench", "fleet", "registry.example/web:1", "m5.2xlarge"
MIB = 2**20
CAPACITY = Resources(8 * NANO_CPUS_PER_CPU, 32 * 1024 * MIB)
SLOTS = 60
POOL = Pool(PoolName("workers"), Role.WORKER, "bench-workers", 0, 5_000, CAPACITY, SLOTS)
CALLER = "arn:aws:iam::123456789012:user/bench"
CPUS, MEMORY_MIB = (0.1, 0.25, 0.5, 1.0), (64, 128, 256, 512)
MINUTE_S = 61.0


class MovedClock:
    """The system's clock, put on by as much as the schedule has been waited for."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> float:
        return time.time() + self._ahead_s

    def put_on(self, seconds: float) -> None:
        self._ahead_s += seconds


class NoCommands:
    """Every image is there, so no node is ever commanded."""

    def send(self, node_id: NodeId, command: Command, parameters: Mapping[str, str]) -> str:
        raise AgentNotReady(f"{node_id} takes no commands here")

    def result(self, command_id: str, node_id: NodeId) -> CommandResult:
        raise AgentNotReady(f"{node_id} takes no commands here")


class NoEvents:
    """Nobody listens."""

    def publish(self, event: Event, details: Sequence[Mapping[str, str]]) -> None:
        """Take it."""


@dataclass(frozen=True, slots=True)
class Function:
    """One environment of the placement function."""

    store: MemoryStateStore
    clock: MovedClock
    http: HttpApi
    pending: PendingQueue
    inventory: Inventory

    def create(self, body: Mapping[str, object]) -> int:
        """`POST /containers` as API Gateway hands it over; returns the answer's status."""
        event = {
            "version": "2.0",
            "routeKey": "POST /containers",
            "rawPath": "/containers",
            "requestContext": {"authorizer": {"iam": {"userArn": CALLER}}},
            "body": json.dumps(body),
        }
        return int(self.http.serve(event)["statusCode"])

    def stands_still(self) -> bool:
        return bool(self.store.unsettled(now=10.0**12) or self.store.pending())

    def minute(self) -> None:
        """What the schedule and its events do each minute, and every node's inventory."""
        self.clock.put_on(MINUTE_S)
        for container in self.store.unsettled(now=self.clock.now()):
            self.pending.settle_named(container.name)
        self.pending.retry()
        for node in self.store.nodes():
            self.inventory.check(node.id)


def new_functions(running: Running, environments: int) -> list[Function]:
    """So many environments over one table, which holds the engines as ready workers."""
    os.environ["HTTPS_PROXY"], os.environ["NO_PROXY"] = running.proxy_url, running.not_proxied
    clock = MovedClock()
    store = MemoryStateStore(now=clock.now)
    for instance_id, address in running.workers:
        store.add_node(_node(instance_id, address))
    identity = ClientIdentity(running.authority_pem, running.client.certificate, running.client.key)
    return [_function(store, clock, identity, number) for number in range(environments)]


def a_body(number: int) -> dict[str, object]:
    """Docker's create body, of one of sixteen sizes."""
    host = {"NanoCpus": round(CPUS[number % 4] * NANO_CPUS_PER_CPU), "Memory": MEMORY_MIB[number // 4 % 4] * MIB}
    return {"Name": f"web-{number}", "Image": IMAGE, "HostConfig": host}


def _node(instance_id: str, address: str) -> Node:
    return Node(
        id=NodeId(instance_id),
        pool=POOL.name,
        role=Role.WORKER,
        state=NodeState.READY,
        created_at=0.0,
        state_since=0.0,
        address=address,
        capacity=CAPACITY,
        slots=SLOTS,
    )


def _function(store: MemoryStateStore, clock: MovedClock, identity: ClientIdentity, number: int) -> Function:
    from functions.placement.fleet_operations import FleetOperations  # what is deployed is not needed to ask a fleet
    from functions.placement.http import HttpApi
    from functions.placement.needs import Needs
    from functions.placement.operations import Operations

    options = PlacementOptions(compile_re2)
    engines = DockerEngines(EngineClients(lambda: identity), fleet=FLEET)
    remover = Remover(store=store, engines=engines, clock=clock)
    view = FleetView(store=store, clock=clock, options=options)
    chance = Random(number)  # noqa: S311  no secret
    reserver = Reserver(store=store, view=view, clock=clock, random=chance, pause=time.sleep)
    puller = Puller(pulls=MemoryPulls(), commands=NoCommands(), clock=clock)
    starter = Starter(store=store, engines=engines, puller=puller, watches=MemoryWatches(), clock=clock)
    placer = Placer(
        store=store,
        reserver=reserver,
        starter=starter,
        remover=remover,
        clock=clock,
        pools=[POOL],
        options=options,
    )
    operations = Operations(
        placer=placer,
        acceptance=Acceptance(store, clock),
        store=store,
        clock=clock,
        engines=engines,
        admission=Admission(NETWORK, 256 * MIB, {POOL.name: AdmissionSettings()}),
        tenants=TenantSettings(),
        needs=Needs(lambda: False, frozenset()),
        tell_pending=lambda _: None,  # standard output is the figures' own
        tell_placement=lambda _: None,
    )
    departures = Departures(fleet_name=FLEET, store=store, events=NoEvents(), clock=clock)
    fleet = FleetOperations(store=store, history=MemoryDecisions(), departures=departures)
    pending = PendingQueue(
        fleet_name=FLEET, store=store, reserver=reserver, placer=placer, events=NoEvents(), clock=clock
    )
    inventory = Inventory(store=store, engines=engines, clock=clock)
    rotations = RotationRequests(store=store, events=NoEvents(), clock=clock, fleet=FLEET)
    return Function(store, clock, HttpApi(operations, fleet, rotations), pending, inventory)
