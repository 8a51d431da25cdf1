"""Remove tenants' networks of which nobody has a container any more.

A network that an engine remembers for a container that stands still must stay: with it gone, and made anew under
another id, neither that container nor a router would start again. The Swarm knows only who is attached now. So every
engine is asked. One that doesn't answer keeps all networks, as does one that the Swarm lists and the table doesn't.
What is attached meanwhile keeps its network too, since the Swarm refuses; whoever has found the network and comes a
moment too late to attach tries again, and makes it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from swarmkeeper.domain.membership import JOINING_STATES, NodeState
from swarmkeeper.domain.model import Node, Role
from swarmkeeper.ports import Clock, Routers, StateStore, Swarm
from swarmkeeper.services.managers import Managers

SWEEP_EVERY = 10
"""A tick in so many looks for networks."""
TICK_S = 60.0
AT_ONCE = 16
"""Engines asked at the same time."""
BUDGET = 20
"""So many networks are removed by one look."""
WITHOUT_ENGINE = JOINING_STATES | {NodeState.LEAVING, NodeState.GONE}
"""Nodes on which no tenant's container is, or ever runs again."""


class NetworkSweep:
    """Looks at the whole fleet; every look may be repeated."""

    def __init__(self, *, store: StateStore, managers: Managers, swarm: Swarm, routers: Routers, clock: Clock) -> None:
        self._store = store
        self._managers = managers
        self._swarm = swarm
        self._routers = routers
        self._clock = clock

    def sweep(self, *, now: bool = False) -> tuple[str, ...]:
        """Remove some of the idle networks where it is this tick's turn, or `now`; returns their names.

        Raises Unavailable when an engine, or no manager, answers.
        """
        if not now and int(self._clock.now() / TICK_S) % SWEEP_EVERY:
            return ()
        if not self._managers.in_service():
            return ()
        there = self._managers.ask(self._swarm.tenant_networks)
        if not there:
            return ()
        asked = [node for node in self._store.nodes() if _may_use(node)]
        if not self._are_all(asked):
            return ()
        used = self._used(asked)
        idle = [name for name in there if name not in used][:BUDGET]
        return tuple(name for name in idle if self._removed(name))

    def _are_all(self, asked: Sequence[Node]) -> bool:
        """Whether the table knows every worker of the Swarm, as one that is made anew doesn't yet, and none is lost."""
        if any(node.state is NodeState.LOST or node.suspected_at is not None for node in asked):
            return False
        workers = {node.host_name for node in self._managers.nodes() if node.role is Role.WORKER}
        return workers <= {node.id for node in asked}

    def _used(self, nodes: Iterable[Node]) -> frozenset[str]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return frozenset().union(*pool.map(self._routers.used, nodes))

    def _removed(self, name: str) -> bool:
        return self._managers.ask(lambda manager: self._swarm.remove_network(manager, name))


def _may_use(node: Node) -> bool:
    return node.role is Role.WORKER and node.state not in WITHOUT_ENGINE
