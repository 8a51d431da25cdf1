"""The scaling part of the settings as the domain takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from swarmkeeper.domain.model import PoolName, Role
from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom
from swarmkeeper.domain.scaling.demand import Headroom
from swarmkeeper.domain.scaling.guards import Limits
from swarmkeeper.domain.scaling.policy import Consolidation, Policy
from swarmkeeper.edge.placement import placement_options
from swarmkeeper.edge.settings import Settings
from swarmkeeper.edge.settings_scaling import ArrivalHeadroomSettings, PoolScaling


def policies(settings: Settings) -> Mapping[PoolName, Policy]:
    """Each pool of workers' policy, without the machine image that its new nodes get: that changes meanwhile."""
    workers = settings.pools_of(Role.WORKER)
    return {
        PoolName(name): replace(policy_of(settings, settings.scaling_of(name)), max_lifetime_s=pool.max_lifetime)
        for name, pool in workers.items()
    }


def dry_run_pools(settings: Settings) -> frozenset[PoolName]:
    """The pools for which decisions are only told."""
    return frozenset(PoolName(name) for name in settings.pools_of(Role.WORKER) if settings.scaling_of(name).dry_run)


def drift_pools(settings: Settings) -> frozenset[PoolName]:
    """The pools whose nodes of an older machine image are replaced."""
    workers = settings.pools_of(Role.WORKER)
    return frozenset(PoolName(name) for name in workers if settings.scaling_of(name).replace_drifted)


def policy_of(settings: Settings, scaling: PoolScaling) -> Policy:
    """How a pool with these settings is scaled."""
    return Policy(
        options=placement_options(settings.placement),
        reserved_high=scaling.reserved_high,
        reserved_low=scaling.reserved_low,
        headroom=Headroom(scaling.headroom.resources, scaling.headroom.containers),
        limits=_limits(scaling, settings.scaling.budget_per_hour),
        consolidation=Consolidation(scaling.consolidation.min_gain) if scaling.consolidation else None,
        max_node_age_s=None if scaling.max_node_age is None else float(scaling.max_node_age),
        arrival_headroom=_arrivals(scaling.arrival_headroom),
    )


def _arrivals(headroom: ArrivalHeadroomSettings | None) -> ArrivalHeadroom | None:
    if headroom is None:
        return None
    return ArrivalHeadroom(float(headroom.boot_time), float(headroom.memory), headroom.percent, headroom.spare_nodes)


def _limits(scaling: PoolScaling, budget_per_hour: float | None) -> Limits:
    additions, removals = scaling.max_additions, scaling.max_removals
    limits = Limits(
        out_cooldown_s=float(scaling.out_cooldown),
        in_cooldown_s=float(scaling.in_cooldown),
        removals_in_window=removals.nodes,
        removals_share=removals.share,
        removals_window_s=float(removals.window),
        drains_at_once=scaling.drains_at_once,
        budget_per_hour=budget_per_hour,
        unavailable_s=float(scaling.unavailable_for),
    )
    if additions is None:
        return limits
    return replace(limits, additions_in_window=additions.nodes, additions_window_s=float(additions.window))
