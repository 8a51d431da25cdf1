"""What a pool's nodes offer, and how long their joins and drains may take."""

from __future__ import annotations

from dataclasses import dataclass, replace

from swarmkeeper.domain.losses import NORMAL, LossPolicy
from swarmkeeper.domain.model import Pool, Resources


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A pool with what the registrar needs to know of it beyond sizing; `launch_limit_s` bounds a join."""

    pool: Pool
    system_reserve: Resources
    cpu_overcommit: float
    memory_overcommit: float
    launch_limit_s: float
    drain_limit_s: float
    generic: tuple[tuple[str, int], ...] = ()
    """What each machine has besides, such as GPUs."""
    images: tuple[str, ...] = ()
    """What a node of the pool has pulled before it is called ready."""
    losses: LossPolicy = NORMAL

    def offered(self, whole: Resources) -> Resources:
        """What may be reserved of a machine of `whole`: less the system's reserve, times the overcommit."""
        left = whole - self.system_reserve
        nano_cpus, memory_bytes = left.nano_cpus * self.cpu_overcommit, left.memory_bytes * self.memory_overcommit
        return Resources(int(nano_cpus), int(memory_bytes), self.generic)

    def with_node_capacity(self, offered: Resources) -> PoolPlan:
        """The plan with what one new node of the pool offers."""
        return replace(self, pool=replace(self.pool, node_capacity=offered))
