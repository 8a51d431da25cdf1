"""Builds the placement function's parts."""

from __future__ import annotations

from collections.abc import Mapping

from functions.placement.api import PlacementApi
from swarmkeeper.composition import NETWORK, Composition, pause
from swarmkeeper.services.placer import Placer, PlacerSettings


def build(environ: Mapping[str, str]) -> PlacementApi:
    """Raises InvalidInput for a missing variable, Unavailable when AWS does not answer."""
    parts = Composition(environ, function="placement")
    placer = Placer(
        store=parts.store,
        engines=parts.engines,
        commands=parts.commands,
        clock=parts.clock,
        settings=PlacerSettings(fleet=parts.fleet_name, strategy=parts.settings.placement.strategy),
        random=parts.random,
        pause=pause,
    )
    memory_bytes = parts.settings.placement.default_memory
    return PlacementApi(placer, fleet=parts.fleet_name, network=NETWORK, default_memory_bytes=memory_bytes)
