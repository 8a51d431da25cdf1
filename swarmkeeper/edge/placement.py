"""The placement part of the settings as the domain takes it."""

from __future__ import annotations

from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.edge.patterns import compile_re2
from swarmkeeper.edge.settings import PlacementSettings


def placement_options(settings: PlacementSettings) -> PlacementOptions:
    """How a live fleet places: exactly, with RE2 for its expressions."""
    return PlacementOptions(
        compile_pattern=compile_re2,
        strategy=settings.strategy,
        ports_by_protocol=settings.ports_by_protocol,
        balance_over=settings.balance_over,
        prefer_local_images=settings.prefer_local_images,
    )
