"""The policies by the names that people give."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom
from swarmkeeper.errors import InvalidInput
from swarmkeeper.simulation.model import PoolModel
from swarmkeeper.simulation.policies.base import Policy
from swarmkeeper.simulation.policies.fixed import Fixed
from swarmkeeper.simulation.policies.forecast import Forecasted, Seasons
from swarmkeeper.simulation.policies.ours import Ours
from swarmkeeper.simulation.policies.product import Configured, Product
from swarmkeeper.simulation.policies.step import StepScaling
from swarmkeeper.simulation.policies.tracking import TargetTracking

OURS, FORECAST, CONFIG = "ours", "ours+forecast", "config"
STEP_BINPACK, STEP_SPREAD = "step-binpack", "step-spread"
FIXED = "fixed"
DEFAULTS = (OURS, STEP_BINPACK, STEP_SPREAD, "tracking-80", "tracking-95", "tracking-100", FIXED)
FAMILIES = {"step": (STEP_BINPACK, STEP_SPREAD), "tracking": ("tracking-80", "tracking-95", "tracking-100")}
TRACKING = re.compile(r"tracking-([1-9][0-9]?|100)")
FIXED_SHARE = 0.9
"""How full a fleet of fixed size is at the highest demand."""


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A policy with the strategy that places for it; `first_nodes` are there when the replay begins."""

    name: str
    policy: Policy
    strategy: str
    first_nodes: int = 1


def names_in(given: Sequence[str]) -> tuple[str, ...]:
    """The policies that are meant, each once. Raises InvalidInput."""
    names = [each for name in given for each in FAMILIES.get(name, (name,))]
    for name in names:
        if name not in (*DEFAULTS, FORECAST, CONFIG) and not TRACKING.fullmatch(name):
            raise InvalidInput(
                "policy", f"{name!r} is none of {', '.join((*DEFAULTS, FORECAST, CONFIG))}; tracking takes any 1 to 100"
            )
    return tuple(dict.fromkeys(names))


def policy_named(
    name: str,
    model: PoolModel,
    headroom: ArrivalHeadroom,
    strategy: str,
    peak_nodes: float,
    configured: Configured | None = None,
) -> NamedPolicy:
    """A policy that has decided nothing yet; headroom and strategy are those of ours. Raises InvalidInput."""
    if name == CONFIG:
        if configured is None:
            raise InvalidInput("policy", "'config' is what --config says, which is not given")
        return NamedPolicy(
            name, Product(configured, model.decision_s), configured.policy.options.strategy, max(1, configured.min)
        )
    if name == OURS:
        return NamedPolicy(name, Ours(headroom, model.decision_s), strategy)
    if name == FORECAST:
        seasons = Seasons(ahead_s=2 * model.boot_s)  # as long again for the metric to come and the decision to be made
        return NamedPolicy(name, Forecasted(Ours(headroom, model.decision_s), seasons), strategy)
    if name in (STEP_BINPACK, STEP_SPREAD):
        return NamedPolicy(name, StepScaling(model.alarm_period_s), name.removeprefix("step-"))
    if name == FIXED:
        nodes = max(1, ceil(peak_nodes / FIXED_SHARE))
        return NamedPolicy(name, Fixed(nodes), "binpack", nodes)
    target = int(name.removeprefix("tracking-")) / 100
    return NamedPolicy(name, TargetTracking(target, model.alarm_period_s), "binpack")
