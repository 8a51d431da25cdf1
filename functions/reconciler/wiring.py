"""Builds the reconciler function's parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from swarmkeeper.composition_engines import EngineComposition
from swarmkeeper.ports import Clock
from swarmkeeper.services.lifetimes import Lifetimes
from swarmkeeper.services.network_sweep import NetworkSweep
from swarmkeeper.services.rebuild import Rebuild
from swarmkeeper.services.reconciler import Reconciler
from swarmkeeper.services.recorder import Recorder
from swarmkeeper.services.slots import Slots


@dataclass(frozen=True, slots=True)
class Wired:
    """The reconciler, what ends containers in time, makes the table anew and orders a recovery, and whose they are."""

    reconciler: Reconciler
    lifetimes: Lifetimes
    networks: NetworkSweep | None
    """None where all containers are on one network."""
    rebuild: Rebuild
    slots: Slots
    clock: Clock
    fleet: str


def build(environ: Mapping[str, str]) -> Wired:
    """Raises InvalidInput for a missing variable, Unavailable when AWS does not answer."""
    parts = EngineComposition(environ, function="reconciler")
    reconciler = Reconciler(
        fleet_name=parts.fleet_name,
        store=parts.store,
        fleet=parts.fleet,
        managers=parts.managers,
        events=parts.events,
        clock=parts.clock,
        pools=parts.pools,
    )
    lifetimes = Lifetimes(
        fleet_name=parts.fleet_name,
        store=parts.store,
        watches=parts.watches,
        engines=parts.engines,
        events=parts.events,
        remover=parts.remover,
        clock=parts.clock,
    )
    slots = Slots(store=parts.store, fleet=parts.fleet, clock=parts.clock, pools=parts.settings.slots)
    return Wired(reconciler, lifetimes, _networks(parts), _rebuild(parts), slots, parts.clock, parts.fleet_name)


def _networks(parts: EngineComposition) -> NetworkSweep | None:
    if parts.settings.network.isolation == "fleet":
        return None
    return NetworkSweep(
        store=parts.store, managers=parts.managers, swarm=parts.swarm, routers=parts.routers, clock=parts.clock
    )


def _rebuild(parts: EngineComposition) -> Rebuild:
    recorder = Recorder(
        store=parts.store,
        engines=parts.engines,
        watches=parts.watches,
        clock=parts.clock,
        quota_of=parts.settings.tenants.quota_of,
    )
    return Rebuild(
        store=parts.store,
        fleet=parts.fleet,
        swarm=parts.swarm,
        engines=parts.engines,
        recorder=recorder,
        clock=parts.clock,
        plans=parts.plans,
    )
