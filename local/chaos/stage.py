"""What faults are made of: a running cloud, hands on its machines, and which nodes can be hit now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from local.chaos.hands import Hands
from local.chaos.snapshot import GONE, Snapshot
from local.cloud import LocalCloud
from swarmkeeper.domain.model import Role

LOOP = ("placement", "reconciler", "registrar", "scaler")
HEARD_AT_LEAST = 1
"""Workers that are left alone: where everybody is silent the fleet rightly does nothing."""

QUORUM_BEARS_ONE = 3
"""Managers of which one may be lost."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A cloud and how to reach into it."""

    cloud: LocalCloud
    hands: Hands

    @property
    def workers_groups(self) -> list[str]:
        """The groups of the pools of workers, by name."""
        settings = self.cloud.settings
        return sorted(f"{settings.fleet}-{pool}" for pool in settings.pools_of(Role.WORKER))

    def functions(self) -> list[str]:
        """The names of the functions that run the loop; the others run once, when the fleet is deployed."""
        there = {spec.name for spec in self.cloud.functions.functions()}
        return sorted(there & {f"{self.cloud.settings.fleet}-{name}" for name in LOOP})


def workers(seen: Snapshot, hit: Collection[str]) -> list[str]:
    """Ready workers that no fault has hit; none while too few would be left to hear of."""
    ready = [node.id for node in seen.nodes.values() if node.role == Role.WORKER and node.state == "ready"]
    fit = [node for node in ready if node in seen.engines and node not in hit]
    return fit if len(fit) > HEARD_AT_LEAST else []


def managers(seen: Snapshot, hit: Collection[str]) -> list[str]:
    """All managers, while as many as there must be serve and none is hit: another's loss would be the quorum's."""
    ready = [node.id for node in seen.nodes.values() if node.role == Role.MANAGER and node.state == "ready"]
    pools = {seen.nodes[node].pool for node in ready}
    least = sum(group.least for group in seen.groups if group.pool in pools)
    whole = len(ready) == least and all(seen.swarm.get(node, False) and node not in hit for node in ready)
    return ready if whole and least >= QUORUM_BEARS_ONE else []


def joining(seen: Snapshot, hit: Collection[str]) -> list[str]:
    """Instances of workers that have not joined."""
    managers = {node.id for node in seen.nodes.values() if node.role == Role.MANAGER and node.state != GONE}
    waiting = {one for group in seen.groups for one, state in group.instances.items() if state.startswith("Pending")}
    return sorted(waiting - managers - set(hit))
