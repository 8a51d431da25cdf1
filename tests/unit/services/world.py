"""A fleet of fakes with the real services over it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from swarmkeeper.adapters.memory.decisions import MemoryDecisions
from swarmkeeper.adapters.memory.upkeep import MemoryPulls, MemoryWatches
from swarmkeeper.domain.losses import NORMAL, LossFuse, LossPolicy
from swarmkeeper.domain.model import (
    Container,
    ContainerName,
    Hook,
    Node,
    NodeId,
    Pool,
    PoolName,
    Quota,
    Role,
    unlimited,
)
from swarmkeeper.domain.pools import PoolPlan
from swarmkeeper.ports import Command, CommandStatus
from swarmkeeper.services.admitting import Admitter, RegistrarSettings
from swarmkeeper.services.certifying import Certifying
from swarmkeeper.services.departures import Departures
from swarmkeeper.services.drainer import Drainer
from swarmkeeper.services.eviction import Evictor
from swarmkeeper.services.inventory import Inventory
from swarmkeeper.services.joiner import Joiner
from swarmkeeper.services.launches import Launches
from swarmkeeper.services.layers import Layers, LayerSettings
from swarmkeeper.services.leadership import Leadership
from swarmkeeper.services.lifetimes import Lifetimes
from swarmkeeper.services.managers import Managers
from swarmkeeper.services.mover import Mover
from swarmkeeper.services.needs import CapacityNeeds
from swarmkeeper.services.notices import Notices
from swarmkeeper.services.pending import PendingQueue
from swarmkeeper.services.placer import Placer
from swarmkeeper.services.progress import Progress
from swarmkeeper.services.pulls import Puller
from swarmkeeper.services.rebuild import NODES_A_SHARD, Rebuild
from swarmkeeper.services.reconciler import Reconciler
from swarmkeeper.services.recorder import Recorder
from swarmkeeper.services.recovery import Recovery
from swarmkeeper.services.registrar import Registrar, WaitingHook
from swarmkeeper.services.remover import Remover
from swarmkeeper.services.reservations import Reserver
from swarmkeeper.services.sentry import Sentry
from swarmkeeper.services.slots import Slots
from swarmkeeper.services.starter import Starter
from swarmkeeper.services.tokens import RotationRequests, TokenKeeper, TokenRotation
from swarmkeeper.services.view import FleetView
from tests.fakes import (
    FakeCertificates,
    FakeCommands,
    FakeEngines,
    FakeEvents,
    FakeFleet,
    FakeStateStore,
    FakeSwarm,
    FakeTokens,
    FixedClock,
    a_node,
)
from tests.fakes.builders import options, resources
from tests.fakes.certificates import SIGNING_REQUEST
from tests.fakes.commands import Sent
from tests.fakes.routes import FakeRoutes

FLEET = "demo"
IMAGE = "registry.example/web:1"
LAUNCH_LIMIT_S, DRAIN_LIMIT_S = 600.0, 1800.0
MANAGER = NodeId("i-00000000000000aaa")
LAYERS = LayerSettings(FLEET, "registry.example:5000", 2**30)


def a_plan(name: str, role: Role = Role.WORKER) -> PoolPlan:
    """A pool of t3.small with nothing held back."""
    pool = Pool(
        name=PoolName(name),
        role=role,
        group=f"{FLEET}-{name}",
        min=0,
        max=4,
        node_capacity=resources(2, 2048),
        slots=4,
        labels={"containerslots": "4"},
    )
    return PoolPlan(
        pool=pool,
        system_reserve=resources(),
        cpu_overcommit=1.0,
        memory_overcommit=1.0,
        launch_limit_s=LAUNCH_LIMIT_S,
        drain_limit_s=DRAIN_LIMIT_S,
    )


@dataclass
class World:
    """Fakes as fields; services built over them on demand. A ready manager is there from the start."""

    clock: FixedClock = field(default_factory=FixedClock)
    store: FakeStateStore = field(default_factory=FakeStateStore)
    fleet: FakeFleet = field(default_factory=FakeFleet)
    engines: FakeEngines = field(default_factory=lambda: FakeEngines(IMAGE))
    swarm: FakeSwarm = field(default_factory=FakeSwarm)
    commands: FakeCommands = field(default_factory=FakeCommands)
    certificates: FakeCertificates = field(default_factory=FakeCertificates)
    tokens: FakeTokens = field(default_factory=FakeTokens)
    routes: FakeRoutes = field(default_factory=FakeRoutes)
    losses: LossPolicy = NORMAL
    fuse: LossFuse = field(default_factory=LossFuse)
    events: FakeEvents = field(default_factory=FakeEvents)
    pulls: MemoryPulls = field(default_factory=MemoryPulls)
    watches: MemoryWatches = field(default_factory=MemoryWatches)
    history: MemoryDecisions = field(default_factory=MemoryDecisions)
    pauses: list[float] = field(default_factory=list)
    quota_of: Callable[[str], Quota | None] = unlimited
    token_rotation_s: float | None = 30 * 86_400.0
    pools_with_slots: frozenset[PoolName] = frozenset()
    nodes_a_shard: int = NODES_A_SHARD
    random: Random = field(default_factory=lambda: Random(7))
    layer_settings: LayerSettings = LAYERS

    def __post_init__(self) -> None:
        self.plans = {PoolName(n): a_plan(n, r) for n, r in (("workers", Role.WORKER), ("managers", Role.MANAGER))}
        for plan in self.plans.values():
            self.fleet.add_group(plan.pool.group, max=4, desired=1)

    def with_manager(self) -> World:
        self.fleet.in_service("demo-managers", MANAGER)
        self.store.add_node(a_node(MANAGER, pool="managers", role=Role.MANAGER, address="10.42.0.5"))
        self.swarm.join(MANAGER, role=Role.MANAGER)
        return self

    def with_worker(self, node_id: str, slots: int | None = 4) -> Node:
        """A worker that is ready everywhere."""
        self.fleet.in_service("demo-workers", node_id)
        listed = self.swarm.join(node_id)
        self.commands.register(node_id)
        self.store.add_node(a_node(node_id, slots=slots, swarm_id=listed.id))
        node = self.node(node_id)
        self.engines.on(node_id).capacity = node.capacity
        return node

    def node(self, node_id: str) -> Node:
        node = self.store.node(NodeId(node_id))
        assert node is not None
        return node

    @property
    def reserver(self) -> Reserver:
        return Reserver(store=self.store, view=self.view, clock=self.clock, random=Random(7), pause=self.pauses.append)

    @property
    def view(self) -> FleetView:
        """That of a function that has just been started."""
        return FleetView(store=self.store, clock=self.clock, options=options())

    @property
    def placer(self) -> Placer:
        return Placer(
            store=self.store,
            reserver=self.reserver,
            starter=self.starter,
            remover=self.remover,
            clock=self.clock,
            pools=[plan.pool for plan in self.plans.values()],
            options=options(),
            quota_of=self.quota_of,
        )

    @property
    def puller(self) -> Puller:
        return Puller(pulls=self.pulls, commands=self.commands, clock=self.clock)

    @property
    def remover(self) -> Remover:
        return Remover(store=self.store, engines=self.engines, clock=self.clock)

    @property
    def starter(self) -> Starter:
        return Starter(
            store=self.store,
            engines=self.engines,
            puller=self.puller,
            watches=self.watches,
            clock=self.clock,
            leadership=self.leadership,
        )

    @property
    def leadership(self) -> Leadership:
        return Leadership(managers=self.managers, clock=self.clock)

    @property
    def pending(self) -> PendingQueue:
        return PendingQueue(
            fleet_name=FLEET,
            store=self.store,
            reserver=self.reserver,
            placer=self.placer,
            events=self.events,
            clock=self.clock,
        )

    @property
    def needs(self) -> CapacityNeeds:
        return CapacityNeeds(fleet_name=FLEET, store=self.store, events=self.events, clock=self.clock, random=Random(7))

    @property
    def inventory(self) -> Inventory:
        return Inventory(store=self.store, engines=self.engines, clock=self.clock, quota_of=self.quota_of)

    @property
    def lifetimes(self) -> Lifetimes:
        return Lifetimes(
            fleet_name=FLEET,
            store=self.store,
            watches=self.watches,
            engines=self.engines,
            events=self.events,
            remover=self.remover,
            clock=self.clock,
        )

    @property
    def managers(self) -> Managers:
        return Managers(store=self.store, swarm=self.swarm)

    @property
    def drainer(self) -> Drainer:
        return Drainer(
            store=self.store,
            fleet=self.fleet,
            swarm=self.swarm,
            managers=self.managers,
            commands=self.commands,
            clock=self.clock,
            mover=self.mover,
            evictor=Evictor(store=self.store, engines=self.engines, fleet=self.fleet, mover=self.mover),
            notices=self.notices,
            drain_limits_s={PoolName("workers"): DRAIN_LIMIT_S},
        )

    @property
    def notices(self) -> Notices:
        return Notices(fleet_name=FLEET, store=self.store, events=self.events, clock=self.clock)

    @property
    def mover(self) -> Mover:
        return Mover(
            store=self.store,
            engines=self.engines,
            puller=self.puller,
            clock=self.clock,
            view=self.view,
            leadership=self.leadership,
            layers=self.layers,
            notices=self.notices,
        )

    @property
    def layers(self) -> Layers:
        return Layers(
            store=self.store,
            engines=self.engines,
            commands=self.commands,
            clock=self.clock,
            random=self.random,
            settings=self.layer_settings,
        )

    @property
    def registrar(self) -> Registrar:
        settings = RegistrarSettings(
            fleet=FLEET,
            network="fleet",
            network_subnet="10.112.0.0/24",
            plans=self.plans,
            has_registry=self.layer_settings.registry is not None,
        )
        joiner = Joiner(
            store=self.store,
            fleet=self.fleet,
            commands=self.commands,
            certifying=Certifying(store=self.store, certificates=self.certificates),
            admitter=Admitter(
                store=self.store,
                fleet=self.fleet,
                engines=self.engines,
                swarm=self.swarm,
                managers=self.managers,
                tokens=self.token_keeper,
                clock=self.clock,
                settings=settings,
            ),
            launches=Launches(store=self.store, events=self.events, clock=self.clock, fleet=FLEET),
            events=self.events,
            clock=self.clock,
            drainer=self.drainer,
            managers=self.managers,
            settings=settings,
        )
        return Registrar(
            store=self.store,
            fleet=self.fleet,
            clock=self.clock,
            joiner=joiner,
            drainer=self.drainer,
            sentry=self.sentry,
            recovery=self.recovery,
            departures=self.departures,
            settings=settings,
        )

    @property
    def departures(self) -> Departures:
        return Departures(fleet_name=FLEET, store=self.store, events=self.events, clock=self.clock)

    @property
    def sentry(self) -> Sentry:
        return Sentry(
            store=self.store,
            engines=self.engines,
            managers=self.managers,
            clock=self.clock,
            policies=dict.fromkeys(self.plans, self.losses),
            fuse=self.fuse,
        )

    @property
    def recovery(self) -> Recovery:
        return Recovery(
            fleet_name=FLEET,
            store=self.store,
            fleet=self.fleet,
            routes=self.routes,
            events=self.events,
            clock=self.clock,
            drainer=self.drainer,
            sentry=self.sentry,
            inventory=self.inventory,
            policies=dict.fromkeys(self.plans, self.losses),
        )

    @property
    def token_keeper(self) -> TokenKeeper:
        return TokenKeeper(swarm=self.swarm, tokens=self.tokens)

    @property
    def rotation_requests(self) -> RotationRequests:
        return RotationRequests(store=self.store, events=self.events, clock=self.clock, fleet=FLEET)

    def check_tokens(self) -> str:
        """What the registrar does about the join tokens when it is asked to look."""
        rotation = TokenRotation(
            store=self.store,
            managers=self.managers,
            keeper=self.token_keeper,
            clock=self.clock,
            every_s=self.token_rotation_s,
        )
        return rotation.check()

    @property
    def slots(self) -> Slots:
        return Slots(store=self.store, fleet=self.fleet, clock=self.clock, pools=self.pools_with_slots)

    @property
    def rebuild(self) -> Rebuild:
        recorder = Recorder(
            store=self.store,
            engines=self.engines,
            watches=self.watches,
            clock=self.clock,
            quota_of=self.quota_of,
        )
        return Rebuild(
            store=self.store,
            fleet=self.fleet,
            swarm=self.swarm,
            engines=self.engines,
            recorder=recorder,
            clock=self.clock,
            plans=self.plans,
            nodes_a_shard=self.nodes_a_shard,
        )

    @property
    def reconciler(self) -> Reconciler:
        return Reconciler(
            fleet_name=FLEET,
            store=self.store,
            fleet=self.fleet,
            managers=self.managers,
            events=self.events,
            clock=self.clock,
            pools=[plan.pool for plan in self.plans.values()],
        )

    # Steps of a join, as events drive them.

    def launch(self, node_id: str, group: str = "demo-workers") -> WaitingHook:
        hook = self.fleet.launch(group, node_id)
        return self.waiting(node_id, hook)

    def waiting(self, node_id: str, hook: Hook) -> WaitingHook:
        return WaitingHook(NodeId(node_id), hook.group, hook.token, self.clock.now())

    def end_command(self, command: Command, *, output: str = "", fails: bool = False) -> NodeId:
        """End the latest command of the kind; returns its node."""
        sent = self.commands.last(command)
        status = CommandStatus.FAILED if fails else CommandStatus.SUCCEEDED
        self.commands.finish(sent.id, output=output, error="it broke" if fails else "", status=status)
        return sent.node_id

    def end_pull(self, *, fails: bool = False) -> None:
        """The latest pull ends, and the placement function hears of it."""
        sent = self.commands.last(Command.PULL)
        self.end_command(Command.PULL, fails=fails)
        if not fails:
            self.engines.pull(sent.node_id, sent.parameters["image"])
        image = self.puller.ended(sent.node_id, sent.id, succeeded=not fails)
        assert image is not None
        failure = self.puller.failure(sent.node_id, image) if fails else ""
        self.pending.image_pulled(sent.node_id, image, failure=failure)

    def end_save(self, *, fails: bool = False) -> Progress:
        """The latest command to save ends, as its node would end it, and the registrar hears of it."""
        sent = self.commands.last(Command.SAVE)
        self.run_save(sent, fails=fails)
        return self.registrar.save_ended(sent.node_id, sent.id)

    def run_save(self, sent: Sent, *, fails: bool = False) -> None:
        """The command does its work, and ends well unless its container runs."""
        parameters = sent.parameters
        digest = "" if fails else self.engines.save(sent.node_id, parameters["container"], parameters["image"])
        if digest:
            self.commands.finish(sent.id, output=f"{digest}\n")
        else:
            self.commands.finish(sent.id, error="it broke", status=CommandStatus.FAILED)

    def container(self, name: str = "web-1") -> Container:
        container = self.store.container(ContainerName(name))
        assert container is not None
        return container

    def join(self, node_id: str, group: str = "demo-workers", role: Role = Role.WORKER) -> Node:
        """A whole join, event by event."""
        waiting = self.launch(node_id, group)
        self.commands.register(node_id)
        self.registrar.launching(waiting)
        self.end_command(Command.CSR, output=SIGNING_REQUEST)
        self.registrar.advance(NodeId(node_id))
        listed = self.swarm.join(node_id, role=role)
        self.end_command(Command.JOIN, output=json.dumps({"node_id": listed.id, "state": "active"}))
        self.registrar.advance(NodeId(node_id))
        return self.node(node_id)
