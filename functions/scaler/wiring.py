"""Builds the scaler function's parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from swarmkeeper.adapters.aws.alarms import CloudWatchAlarms
from swarmkeeper.composition import Composition
from swarmkeeper.domain.scaling.demand import Headroom
from swarmkeeper.domain.scaling.guards import Limits
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.edge.placement import placement_options
from swarmkeeper.edge.settings import Settings
from swarmkeeper.services.scaler import Scaler


@dataclass(frozen=True, slots=True)
class Wired:
    """The scaler and whose it is."""

    scaler: Scaler
    fleet: str


def build(environ: Mapping[str, str]) -> Wired:
    """Raises InvalidInput for a missing variable, Unavailable when AWS does not answer."""
    parts = Composition(environ, function="scaler")
    scaler = Scaler(
        fleet_name=parts.fleet_name,
        store=parts.store,
        fleet=parts.fleet,
        events=parts.events,
        alarms=CloudWatchAlarms(parts.cloudwatch),
        clock=parts.clock,
        pools=parts.pools,
        policy=policy_of(parts.settings),
    )
    return Wired(scaler, parts.fleet_name)


def policy_of(settings: Settings) -> Policy:
    """The scaling part of the settings as the domain takes it."""
    scaling = settings.scaling
    return Policy(
        options=placement_options(settings.placement),
        reserved_high=scaling.reserved_high,
        reserved_low=scaling.reserved_low,
        headroom=Headroom(scaling.headroom.resources, scaling.headroom.containers),
        limits=Limits(
            out_cooldown_s=float(scaling.out_cooldown),
            in_cooldown_s=float(scaling.in_cooldown),
            max_removals=scaling.max_removals,
        ),
    )
