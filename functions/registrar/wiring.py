"""Builds the registrar function's parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from swarmkeeper.adapters.aws.queue import Messages
from swarmkeeper.adapters.aws.routes import TargetGroup
from swarmkeeper.adapters.aws.tokens import TokenParameters
from swarmkeeper.adapters.pki.authority import FleetAuthority
from swarmkeeper.composition import CLIENTS, NETWORK
from swarmkeeper.composition_engines import EngineComposition
from swarmkeeper.edge.pools import loss_fuse
from swarmkeeper.services.admitting import Admitter, RegistrarSettings
from swarmkeeper.services.certifying import Certifying
from swarmkeeper.services.drainer import Drainer
from swarmkeeper.services.eviction import Evictor
from swarmkeeper.services.inventory import Inventory
from swarmkeeper.services.joiner import Joiner
from swarmkeeper.services.launches import Launches
from swarmkeeper.services.layers import Layers, LayerSettings
from swarmkeeper.services.leadership import Leadership
from swarmkeeper.services.mover import Mover
from swarmkeeper.services.notices import Notices
from swarmkeeper.services.recovery import Recovery
from swarmkeeper.services.registrar import Registrar
from swarmkeeper.services.sentry import Sentry
from swarmkeeper.services.tokens import TokenKeeper, TokenRotation


@dataclass(frozen=True, slots=True)
class Wired:
    """The registrar, its queue, and whose it is."""

    registrar: Registrar
    messages: Messages
    fleet: str
    check_tokens: Callable[[], str]
    """Rotate the join tokens if that is due; returns what was done."""
    renew_clients: Callable[[], bool]
    """Renew the functions' certificates that end soon; whether one did."""


def build(environ: Mapping[str, str]) -> Wired:
    """Raises InvalidInput for a missing variable, Unavailable when AWS does not answer."""
    parts = EngineComposition(environ, function="registrar")
    settings = RegistrarSettings(
        fleet=parts.fleet_name,
        network=NETWORK,
        network_subnet=str(parts.settings.network.fleet_subnet),
        plans=parts.plans,
        has_registry=parts.settings.images.registry is not None,
    )
    drainer = _drainer(parts)
    sentry = _sentry(parts)
    registrar = Registrar(
        store=parts.store,
        fleet=parts.fleet,
        clock=parts.clock,
        joiner=_joiner(parts, drainer, settings),
        drainer=drainer,
        sentry=sentry,
        recovery=_recovery(parts, drainer, sentry),
        departures=parts.departures,
        settings=settings,
    )
    rotation = _rotation(parts)
    return Wired(
        registrar,
        Messages(parts.clients.sqs, parts.variable("SWARMKEEPER_QUEUE_URL")),
        parts.fleet_name,
        rotation.check,
        _authority(parts).renew_clients,
    )


def _drainer(parts: EngineComposition) -> Drainer:
    notices = Notices(fleet_name=parts.fleet_name, store=parts.store, events=parts.events, clock=parts.clock)
    mover = Mover(
        store=parts.store,
        engines=parts.engines,
        puller=parts.puller,
        clock=parts.clock,
        view=parts.view,
        leadership=Leadership(managers=parts.managers, clock=parts.clock),
        layers=_layers(parts),
        notices=notices,
    )
    return Drainer(
        store=parts.store,
        fleet=parts.fleet,
        swarm=parts.swarm,
        managers=parts.managers,
        commands=parts.commands,
        clock=parts.clock,
        mover=mover,
        evictor=Evictor(store=parts.store, engines=parts.engines, fleet=parts.fleet, mover=mover),
        notices=notices,
        drain_limits_s={name: plan.drain_limit_s for name, plan in parts.plans.items()},
    )


def _layers(parts: EngineComposition) -> Layers:
    return Layers(
        store=parts.store,
        engines=parts.engines,
        commands=parts.commands,
        clock=parts.clock,
        random=parts.random,
        settings=LayerSettings(parts.fleet_name, parts.settings.images.registry, parts.settings.drain.snapshot_limit),
    )


def _sentry(parts: EngineComposition) -> Sentry:
    return Sentry(
        store=parts.store,
        engines=parts.engines,
        managers=parts.managers,
        clock=parts.clock,
        policies={name: plan.losses for name, plan in parts.plans.items()},
        fuse=loss_fuse(parts.settings),
    )


def _recovery(parts: EngineComposition, drainer: Drainer, sentry: Sentry) -> Recovery:
    return Recovery(
        fleet_name=parts.fleet_name,
        store=parts.store,
        fleet=parts.fleet,
        routes=TargetGroup(parts.clients.elbv2, parts.variable("SWARMKEEPER_TARGET_GROUP")),
        events=parts.events,
        clock=parts.clock,
        drainer=drainer,
        sentry=sentry,
        inventory=Inventory(store=parts.store, engines=parts.engines, clock=parts.clock),
        policies={name: plan.losses for name, plan in parts.plans.items()},
    )


def _joiner(parts: EngineComposition, drainer: Drainer, settings: RegistrarSettings) -> Joiner:
    return Joiner(
        store=parts.store,
        fleet=parts.fleet,
        commands=parts.commands,
        certifying=Certifying(store=parts.store, certificates=_authority(parts)),
        admitter=_admitter(parts, settings),
        launches=Launches(store=parts.store, events=parts.events, clock=parts.clock, fleet=parts.fleet_name),
        events=parts.events,
        clock=parts.clock,
        drainer=drainer,
        managers=parts.managers,
        settings=settings,
    )


def _authority(parts: EngineComposition) -> FleetAuthority:
    return FleetAuthority(
        fleet=parts.fleet_name, store=parts.store, secrets=parts.secrets, clock=parts.clock, clients=CLIENTS
    )


def _admitter(parts: EngineComposition, settings: RegistrarSettings) -> Admitter:
    return Admitter(
        store=parts.store,
        fleet=parts.fleet,
        engines=parts.engines,
        swarm=parts.swarm,
        managers=parts.managers,
        tokens=_token_keeper(parts),
        clock=parts.clock,
        settings=settings,
    )


def _token_keeper(parts: EngineComposition) -> TokenKeeper:
    # Without a key of the customer's the variable is missing.
    tokens = TokenParameters(parts.clients.ssm, parts.fleet_name, key=parts.environ.get("SWARMKEEPER_KEY", ""))
    return TokenKeeper(swarm=parts.swarm, tokens=tokens)


def _rotation(parts: EngineComposition) -> TokenRotation:
    every_s = parts.settings.joining.token_rotation
    return TokenRotation(
        store=parts.store,
        managers=parts.managers,
        keeper=_token_keeper(parts),
        clock=parts.clock,
        every_s=None if every_s is None else float(every_s),
    )
