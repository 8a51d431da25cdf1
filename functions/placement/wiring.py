"""Builds the placement function's parts."""

from __future__ import annotations

from collections.abc import Mapping

from functions.placement.api import PlacementApi
from swarmkeeper.composition import NETWORK, Composition, pause
from swarmkeeper.services.placer import Placer
from swarmkeeper.services.reservations import Reserver
from swarmkeeper.services.starter import Starter


def build(environ: Mapping[str, str]) -> PlacementApi:
    """Raises InvalidInput for a missing variable, Unavailable when AWS does not answer."""
    parts = Composition(environ, function="placement")
    reserver = Reserver(
        store=parts.store,
        clock=parts.clock,
        random=parts.random,
        pause=pause,
        strategy=parts.settings.placement.strategy,
    )
    starter = Starter(store=parts.store, engines=parts.engines, commands=parts.commands)
    placer = Placer(store=parts.store, reserver=reserver, starter=starter, clock=parts.clock)
    memory_bytes = parts.settings.placement.default_memory
    return PlacementApi(placer, fleet=parts.fleet_name, network=NETWORK, default_memory_bytes=memory_bytes)
