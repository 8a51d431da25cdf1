"""What of swarmkeeper.yaml is about a manager whose address and Swarm state outlive its instance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from swarmkeeper.domain.model import Role
from swarmkeeper.edge.settings_fields import Count, Strict
from swarmkeeper.edge.settings_rules import MANAGER_COUNTS, Problem

if TYPE_CHECKING:
    from swarmkeeper.edge.settings import PoolSettings


class RetainedState(Strict):
    """A slot for one manager: a network interface and a volume that outlive its instances."""

    zone: Annotated[Count, Field(ge=1, le=2)] = 1
    """Which of the VPC's zones both lie in; another zone later makes new ones, and the old state is not in them."""


def retaining_pool(pool: PoolSettings) -> Iterator[Problem]:
    """What a pool with a slot can't be."""
    if pool.retain_state is None:
        return
    path = ("retain_state",)
    if pool.role is not Role.MANAGER:
        yield Problem(path, "is for managers: workers hold nothing of the Swarm's state")
        return
    if pool.max > 1:
        yield Problem(path, f"{pool.max} managers: a slot holds one; make a pool of one manager for each slot")
    if len(pool.instance_types) > 1:
        yield Problem(path, "several instance_types: a launch into a slot names its network interface, and one type")


def manager_pools(pools: Sequence[PoolSettings]) -> Iterator[Problem]:
    """One pool of managers; or 1, 3 or 5 that are a slot each."""
    managers = [pool for pool in pools if pool.role is Role.MANAGER]
    slots = [pool for pool in managers if pool.retain_state is not None]
    if not slots and len(managers) != 1:
        text = f"{len(managers)} pools have the role manager; exactly one must, unless each has retain_state"
        yield Problem(("pools",), text)
    elif slots and len(slots) < len(managers):
        yield Problem(("pools",), "retain_state: all pools of managers have it, or none has")
    elif slots and len(slots) not in MANAGER_COUNTS:
        text = f"{len(slots)} pools of one manager each: 1, 3 or 5 keep a quorum; an even number bears no more losses"
        yield Problem(("pools",), text)
