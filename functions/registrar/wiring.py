"""Builds the registrar function's parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from swarmkeeper.adapters.aws.queue import Messages
from swarmkeeper.adapters.aws.tokens import TokenParameters
from swarmkeeper.adapters.pki.authority import FleetAuthority
from swarmkeeper.composition import CLIENTS, NETWORK, Composition
from swarmkeeper.services.drainer import Drainer
from swarmkeeper.services.eviction import Evictor
from swarmkeeper.services.joiner import Joiner, RegistrarSettings
from swarmkeeper.services.mover import Mover
from swarmkeeper.services.registrar import Registrar


@dataclass(frozen=True, slots=True)
class Wired:
    """The registrar, its queue, and whose it is."""

    registrar: Registrar
    messages: Messages
    fleet: str


def build(environ: Mapping[str, str]) -> Wired:
    """Raises InvalidInput for a missing variable, Unavailable when AWS does not answer."""
    parts = Composition(environ, function="registrar")
    settings = RegistrarSettings(
        fleet=parts.fleet_name,
        network=NETWORK,
        network_subnet=str(parts.settings.network.fleet_subnet),
        plans=parts.plans,
    )
    drainer = _drainer(parts)
    registrar = Registrar(
        store=parts.store,
        fleet=parts.fleet,
        clock=parts.clock,
        joiner=_joiner(parts, drainer, settings),
        drainer=drainer,
        settings=settings,
    )
    return Wired(registrar, Messages(parts.sqs, parts.variable("SWARMKEEPER_QUEUE_URL")), parts.fleet_name)


def _drainer(parts: Composition) -> Drainer:
    mover = Mover(
        store=parts.store,
        engines=parts.engines,
        puller=parts.puller,
        clock=parts.clock,
        view=parts.view,
    )
    return Drainer(
        store=parts.store,
        fleet=parts.fleet,
        swarm=parts.swarm,
        commands=parts.commands,
        clock=parts.clock,
        mover=mover,
        evictor=Evictor(store=parts.store, engines=parts.engines, mover=mover),
        drain_limits_s={name: plan.drain_limit_s for name, plan in parts.plans.items()},
    )


def _joiner(parts: Composition, drainer: Drainer, settings: RegistrarSettings) -> Joiner:
    return Joiner(
        store=parts.store,
        fleet=parts.fleet,
        engines=parts.engines,
        swarm=parts.swarm,
        commands=parts.commands,
        certificates=FleetAuthority(
            fleet=parts.fleet_name,
            store=parts.store,
            secrets=parts.secrets,
            clock=parts.clock,
            clients=CLIENTS,
        ),
        tokens=TokenParameters(parts.clients.ssm, parts.fleet_name),
        events=parts.events,
        clock=parts.clock,
        drainer=drainer,
        settings=settings,
    )
