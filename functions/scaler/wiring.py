"""Builds the scaler function's parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from functions.scaler.bounds import bounds_plans
from functions.scaler.triggers import TriggerRules
from swarmkeeper.adapters.aws.alarms import CloudWatchAlarms
from swarmkeeper.adapters.aws.measures import CloudWatchMeasures
from swarmkeeper.composition import Composition
from swarmkeeper.domain.model import Role
from swarmkeeper.edge.scaling import drift_pools, dry_run_pools, policies
from swarmkeeper.services.bounds import BoundsReader
from swarmkeeper.services.scaler import Scaler


@dataclass(frozen=True, slots=True)
class Wired:
    """The scaler, what tells it whose a message is, and the fleet's name."""

    scaler: Scaler
    rules: TriggerRules
    fleet: str


def build(environ: Mapping[str, str]) -> Wired:
    """Raises InvalidInput for a missing variable, Unavailable when AWS does not answer."""
    parts = Composition(environ)
    alarms = CloudWatchAlarms(parts.clients.cloudwatch, parts.variable("SWARMKEEPER_ALARM_ACTIONS").split(","))
    scaler = Scaler(
        fleet_name=parts.fleet_name,
        store=parts.store,
        fleet=parts.fleet,
        events=parts.events,
        alarms=alarms,
        clock=parts.clock,
        pools=parts.pools,
        policies=policies(parts.settings),
        history=parts.history,
        targets=BoundsReader(measures=CloudWatchMeasures(parts.clients.cloudwatch), plans=bounds_plans(parts.settings)),
        dry_run=dry_run_pools(parts.settings),
        drifting=drift_pools(parts.settings),
    )
    workers = {pool.group: pool.name for pool in parts.pools if pool.role is Role.WORKER}
    return Wired(scaler, TriggerRules(parts.fleet_name, alarms.owner, workers), parts.fleet_name)
