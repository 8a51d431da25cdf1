"""Containers as placement sees them on a node."""

from __future__ import annotations

from swarmkeeper.domain.model import Occupant, Request


def occupant_of(request: Request, engine_id: str = "") -> Occupant:
    """The request as it occupies a node, before and after the engine knows it."""
    rules = request.rules
    return Occupant(  # by position, in the fields' order: keywords cost a third more on every decision
        request.name,
        engine_id,
        "",
        request.labels,
        request.reservation,
        rules.ports,
        rules.exposed,
        rules.network_mode,
        request.image,
    )
