"""What the simulator assumes of a pool: its nodes, and how long things take."""

from __future__ import annotations

from dataclasses import dataclass

from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Pool, PoolName, Resources, Role

GIB = 2**30
PUBLISHED_NODE = Resources(32 * NANO_CPUS_PER_CPU, 256 * GIB)
"""The node that policies are compared on."""
MOST_NODES = 100_000
"""No group's limit is part of the comparison."""


@dataclass(frozen=True, slots=True)
class PoolModel:
    """One pool of like nodes.

    A node is paid from the moment it is bought until it is removed, its boot included. `decision_s` is the least
    time between two decisions of a policy that sizes, `alarm_period_s` the period of the alarms that others wait
    for. `launch_failures` is the share of launches that end without a node, found out when it should be ready.
    """

    node: Resources = PUBLISHED_NODE
    boot_s: float = 90.0
    decision_s: float = 5.0
    alarm_period_s: float = 60.0
    price_per_hour: float = 0.0
    launch_failures: float = 0.0

    @property
    def pool(self) -> Pool:
        """The pool as the domain's code knows it."""
        return Pool(
            name=PoolName("workers"),
            role=Role.WORKER,
            group="simulated",
            min=0,
            max=MOST_NODES,
            node_capacity=self.node,
            price_per_hour=self.price_per_hour,
        )
