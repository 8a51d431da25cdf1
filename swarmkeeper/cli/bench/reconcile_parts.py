"""The reconciler function over a table in memory and simulated engines, as `bench reconcile` calls it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from swarmkeeper.adapters.engine import ClientIdentity, DockerEngines, DockerSwarm, EngineClients
from swarmkeeper.adapters.memory.store import MemoryStateStore
from swarmkeeper.adapters.memory.upkeep import MemoryWatches
from swarmkeeper.cli.bench.fleet_parts import CAPACITY, FLEET, INSTANCE_TYPE, POOL, MovedClock, NoEvents
from swarmkeeper.domain.model import NO_RESOURCES, Hook, NodeId, Pool, PoolName, Resources, Role, unlimited
from swarmkeeper.domain.pools import PoolPlan
from swarmkeeper.errors import InvariantBroken
from swarmkeeper.ports import Group, GroupInstance, InstanceFacts
from swarmkeeper.services.inventory import Inventory
from swarmkeeper.services.managers import Managers
from swarmkeeper.services.rebuild import Rebuild
from swarmkeeper.services.reconciler import Reconciler
from swarmkeeper.services.recorder import Recorder

if TYPE_CHECKING:
    from local.machines.simulated_fleet import Running

MANAGERS = Pool(PoolName("managers"), Role.MANAGER, "bench-managers", 1, 1, CAPACITY)
REBUILD_S = 30.0
"""As the function has it."""


class Groups:
    """Two groups of instances in service; nothing else of AWS is asked."""

    def __init__(self, running: Running) -> None:
        self._members = {MANAGERS.group: [running.manager], POOL.group: list(running.workers)}
        self._instances = {
            NodeId(instance_id): InstanceFacts(NodeId(instance_id), address, INSTANCE_TYPE, "a", running=True)
            for members in self._members.values()
            for instance_id, address in members
        }

    def group(self, group: str) -> Group:
        members = tuple(GroupInstance(NodeId(instance_id), "InService") for instance_id, _ in self._members[group])
        return Group(group, 0, len(members), len(members), members)

    def instances(self, node_ids: Sequence[NodeId]) -> tuple[InstanceFacts, ...]:
        return tuple(self._instances[node_id] for node_id in node_ids)

    def type_capacity(self, instance_type: str) -> Resources:
        return CAPACITY

    def set_desired(self, group: str, desired: int) -> None:
        _not_asked()

    def refreshing(self, group: str) -> bool:
        _not_asked()

    def image_id(self, group: str) -> str:
        _not_asked()

    def terminate(self, node_id: NodeId) -> None:
        _not_asked()

    def replace(self, node_id: NodeId) -> None:
        _not_asked()

    def complete(self, hook: Hook, node_id: NodeId, *, proceed: bool) -> bool:
        _not_asked()

    def heartbeat(self, hook: Hook, node_id: NodeId) -> bool:
        _not_asked()

    def instance(self, node_id: NodeId) -> InstanceFacts | None:
        _not_asked()


def _not_asked() -> NoReturn:
    raise InvariantBroken("a reconciler asks nothing of the kind")


@dataclass(frozen=True, slots=True)
class Function:
    """One environment of the reconciler function, and what placement does for its events."""

    reconciler: Reconciler
    rebuild: Rebuild
    inventory: Inventory


def new_function(running: Running) -> Function:
    """The function over an empty table."""
    store, clock = MemoryStateStore(now=time.time), MovedClock()
    identity = ClientIdentity(running.authority_pem, running.client.certificate, running.client.key)
    clients = EngineClients(lambda: identity)
    engines, swarm, fleet = DockerEngines(clients, fleet=FLEET), DockerSwarm(clients), Groups(running)
    recorder = Recorder(store=store, engines=engines, watches=MemoryWatches(), clock=clock, quota_of=unlimited)
    reconciler = Reconciler(
        fleet_name=FLEET,
        store=store,
        fleet=fleet,
        managers=Managers(store=store, swarm=swarm),
        events=NoEvents(),
        clock=clock,
        pools=(MANAGERS, POOL),
    )
    rebuild = Rebuild(
        store=store,
        fleet=fleet,
        swarm=swarm,
        engines=engines,
        recorder=recorder,
        clock=clock,
        plans={pool.name: _plan(pool) for pool in (MANAGERS, POOL)},
    )
    return Function(reconciler, rebuild, Inventory(store=store, engines=engines, clock=clock))


def _plan(pool: Pool) -> PoolPlan:
    return PoolPlan(pool, NO_RESOURCES, 1.0, 1.0, launch_limit_s=600.0, drain_limit_s=600.0)
