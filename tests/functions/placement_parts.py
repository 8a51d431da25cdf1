"""The placement function over a world of fakes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from functions.placement.api import PlacementApi
from functions.placement.events import PlacementEvents
from functions.placement.fleet_operations import FleetOperations
from functions.placement.http import HttpApi
from functions.placement.needs import Needs
from functions.placement.operations import Operations
from functions.placement.wiring import Wired
from swarmkeeper.adapters.aws.metrics import emit_pending, emit_placement
from swarmkeeper.domain.model import ContainerState
from swarmkeeper.edge.requests import Admission
from swarmkeeper.edge.settings_admission import AdmissionSettings, TenantSettings
from swarmkeeper.ports import Routers
from swarmkeeper.services.acceptance import Acceptance
from swarmkeeper.services.router_upkeep import RouterUpkeep
from tests.unit.services.world import FLEET, World

DEFAULT_MEMORY_BYTES = 2**26


def wired_over(
    world: World,
    *,
    tenants: Mapping[str, Any] | None = None,
    admission: Mapping[str, Any] | None = None,
    routers: Routers | None = None,
) -> Wired:
    """All parts, with the settings' parts `tenants` and `admission` as swarmkeeper.yaml has them."""
    tenant_settings = TenantSettings.model_validate(tenants or {})
    pools = {"workers": AdmissionSettings.model_validate(admission or {})}
    world.quota_of = tenant_settings.quota_of
    needs = Needs(world.needs.tell, frozenset({ContainerState.PENDING}))
    tell_pending = partial(emit_pending, FLEET)
    operations = Operations(
        placer=world.placer,
        acceptance=Acceptance(world.store, world.clock),
        store=world.store,
        clock=world.clock,
        engines=world.engines,
        admission=Admission("fleet", DEFAULT_MEMORY_BYTES, pools, has_shared_volumes=True),
        tenants=tenant_settings,
        needs=needs,
        tell_pending=tell_pending,
        tell_placement=partial(emit_placement, FLEET),
    )
    events = PlacementEvents(
        fleet=FLEET,
        pending=world.pending,
        puller=world.puller,
        inventory=world.inventory,
        upkeep=None if routers is None else RouterUpkeep(store=world.store, routers=routers, clock=world.clock),
        needs=needs,
        clock=world.clock,
        tell_pending=tell_pending,
    )
    fleet = FleetOperations(store=world.store, history=world.history, departures=world.departures)
    return Wired(PlacementApi(operations), HttpApi(operations, fleet, world.rotation_requests), events)
