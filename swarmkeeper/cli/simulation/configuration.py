"""A pool of swarmkeeper.yaml as a policy that can be tried."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from swarmkeeper.domain.model import PoolName, Role
from swarmkeeper.edge.scaling import policies
from swarmkeeper.edge.settings import load_settings
from swarmkeeper.errors import InvalidInput
from swarmkeeper.simulation.experiment import Setup
from swarmkeeper.simulation.policies.product import Configured


def with_config(setup: Setup, path: Path, pool: str | None) -> Setup:
    """The set-up with the policy `config`, and the price of its nodes where none was given.

    Raises InvalidInput for a bad file, an unknown pool, or several pools when none is named.
    """
    settings = load_settings(path)
    workers = settings.pools_of(Role.WORKER)
    name = pool or (next(iter(workers)) if len(workers) == 1 else "")
    if name not in workers:
        raise InvalidInput("pool", f"{name!r} is none of {', '.join(workers)}: name one with --pool")
    chosen = workers[name]
    policy = policies(settings)[PoolName(name)]
    configured = Configured(policy, chosen.min, chosen.max, float(settings.scaling.alarm_period))
    price = setup.model.price_per_hour or chosen.price
    return replace(setup, configured=configured, model=replace(setup.model, price_per_hour=price))
