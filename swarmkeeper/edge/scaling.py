"""The scaling part of the settings as the domain takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from swarmkeeper.domain.model import PoolName, Role
from swarmkeeper.domain.scaling.demand import Headroom
from swarmkeeper.domain.scaling.guards import Limits
from swarmkeeper.domain.scaling.policy import Consolidation, Policy
from swarmkeeper.edge.placement import placement_options
from swarmkeeper.edge.settings import Settings
from swarmkeeper.edge.settings_scaling import PoolScaling

NO_IMAGES: Mapping[PoolName, str] = {}


def policies(settings: Settings, images: Mapping[PoolName, str] = NO_IMAGES) -> Mapping[PoolName, Policy]:
    """Each pool of workers' policy; `images` are what new nodes get: where none is known, no node counts as drifted."""
    return {
        PoolName(name): policy_of(settings, settings.scaling_of(name), images.get(PoolName(name)))
        for name in settings.pools_of(Role.WORKER)
    }


def dry_run_pools(settings: Settings) -> frozenset[PoolName]:
    """The pools for which decisions are only told."""
    return frozenset(PoolName(name) for name in settings.pools_of(Role.WORKER) if settings.scaling_of(name).dry_run)


def drift_pools(settings: Settings) -> frozenset[PoolName]:
    """The pools whose nodes of an older machine image are replaced."""
    workers = settings.pools_of(Role.WORKER)
    return frozenset(PoolName(name) for name in workers if settings.scaling_of(name).replace_drifted)


def policy_of(settings: Settings, scaling: PoolScaling, image_id: str | None = None) -> Policy:
    """One pool's policy; `image_id` is what its new nodes get, where that is known."""
    return Policy(
        options=placement_options(settings.placement),
        reserved_high=scaling.reserved_high,
        reserved_low=scaling.reserved_low,
        headroom=Headroom(scaling.headroom.resources, scaling.headroom.containers),
        limits=_limits(scaling, settings.scaling.budget_per_hour),
        consolidation=Consolidation(scaling.consolidation.min_gain) if scaling.consolidation else None,
        max_node_age_s=None if scaling.max_node_age is None else float(scaling.max_node_age),
        image_id=image_id if scaling.replace_drifted else None,
    )


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
