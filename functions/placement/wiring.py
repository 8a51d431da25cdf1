"""Builds the placement function's parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from functions.placement.api import PlacementApi
from functions.placement.events import PlacementEvents
from functions.placement.fleet_operations import FleetOperations
from functions.placement.http import HttpApi
from functions.placement.needs import Needs, telling_states
from functions.placement.operations import Operations
from swarmkeeper.adapters.aws.metrics import emit_pending, emit_placement
from swarmkeeper.composition import NETWORK, pause
from swarmkeeper.composition_engines import EngineComposition
from swarmkeeper.edge.pools import admission_of
from swarmkeeper.services.acceptance import Acceptance
from swarmkeeper.services.inventory import Inventory
from swarmkeeper.services.leadership import Leadership
from swarmkeeper.services.needs import CapacityNeeds
from swarmkeeper.services.pending import PendingQueue
from swarmkeeper.services.placer import Placer
from swarmkeeper.services.reservations import Reserver
from swarmkeeper.services.router_upkeep import RouterUpkeep
from swarmkeeper.services.starter import Starter
from swarmkeeper.services.tokens import RotationRequests


@dataclass(frozen=True, slots=True)
class Wired:
    """What serves direct calls, HTTP requests and events."""

    api: PlacementApi
    http: HttpApi
    events: PlacementEvents


def build(environ: Mapping[str, str]) -> Wired:
    """Raises InvalidInput for a missing variable, Unavailable when AWS does not answer."""
    parts = EngineComposition(environ, function="placement")
    reserver = Reserver(
        store=parts.store,
        view=parts.view,
        clock=parts.clock,
        random=parts.random,
        pause=pause,
    )
    starter = Starter(
        store=parts.store,
        engines=parts.engines,
        puller=parts.puller,
        watches=parts.watches,
        clock=parts.clock,
        leadership=Leadership(managers=parts.managers, clock=parts.clock),
    )
    placer = Placer(
        store=parts.store,
        reserver=reserver,
        starter=starter,
        remover=parts.remover,
        clock=parts.clock,
        pools=parts.pools,
        options=parts.placement_options,
        quota_of=parts.settings.tenants.quota_of,
    )
    needs = _needs(parts)
    operations = _operations(parts, placer, needs)
    return Wired(
        PlacementApi(operations),
        HttpApi(operations, _fleet_operations(parts), _rotations(parts)),
        _events(parts, placer, reserver, needs),
    )


def _fleet_operations(parts: EngineComposition) -> FleetOperations:
    return FleetOperations(store=parts.store, history=parts.history, departures=parts.departures)


def _rotations(parts: EngineComposition) -> RotationRequests:
    return RotationRequests(store=parts.store, events=parts.events, clock=parts.clock, fleet=parts.fleet_name)


def _needs(parts: EngineComposition) -> Needs:
    """Told when something waits; where headroom follows arrivals, when something is placed too."""
    tell = CapacityNeeds(
        fleet_name=parts.fleet_name, store=parts.store, events=parts.events, clock=parts.clock, random=parts.random
    ).tell
    return Needs(tell, telling_states(parts.settings))


def _operations(parts: EngineComposition, placer: Placer, needs: Needs) -> Operations:
    settings = parts.settings
    return Operations(
        placer=placer,
        acceptance=Acceptance(parts.store, parts.clock),
        store=parts.store,
        clock=parts.clock,
        engines=parts.engines,
        admission=admission_of(settings, NETWORK),
        tenants=settings.tenants,
        needs=needs,
        tell_pending=partial(emit_pending, parts.fleet_name),
        tell_placement=partial(emit_placement, parts.fleet_name),
    )


def _events(parts: EngineComposition, placer: Placer, reserver: Reserver, needs: Needs) -> PlacementEvents:
    pending = PendingQueue(
        fleet_name=parts.fleet_name,
        store=parts.store,
        reserver=reserver,
        placer=placer,
        events=parts.events,
        clock=parts.clock,
    )
    inventory = Inventory(
        store=parts.store, engines=parts.engines, clock=parts.clock, quota_of=parts.settings.tenants.quota_of
    )
    return PlacementEvents(
        fleet=parts.fleet_name,
        pending=pending,
        puller=parts.puller,
        inventory=inventory,
        upkeep=_upkeep(parts),
        needs=needs,
        clock=parts.clock,
        tell_pending=partial(emit_pending, parts.fleet_name),
    )


def _upkeep(parts: EngineComposition) -> RouterUpkeep | None:
    """None where all containers are on one network, and every router is."""
    if parts.settings.network.isolation == "fleet":
        return None
    return RouterUpkeep(store=parts.store, routers=parts.routers, clock=parts.clock)
