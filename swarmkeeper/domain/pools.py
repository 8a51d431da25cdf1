"""What a pool's nodes offer, and how long their joins and drains may take."""

from __future__ import annotations

from dataclasses import dataclass, replace

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

    def offered(self, whole: Resources) -> Resources:
        """What may be reserved of a machine of `whole`: less the system's reserve, times the overcommit."""
        left = whole - self.system_reserve
        return Resources(int(left.nano_cpus * self.cpu_overcommit), int(left.memory_bytes * self.memory_overcommit))

    def with_node_capacity(self, offered: Resources) -> PoolPlan:
        """The plan with what one new node of the pool offers."""
        return replace(self, pool=replace(self.pool, node_capacity=offered))
