"""Remove tenants' networks of which nobody has a container any more.

A network that an engine remembers for a container that stands still must stay: with it gone, and made anew under
another id, neither that container nor a router would start again. The Swarm knows only who is attached now. So every
engine is asked. One that doesn't answer keeps all networks, as does one that the Swarm lists and the table doesn't.
Where slow engines take a look's time the next ticks go on with the others. What an engine has said at an earlier look
may be out of date; whatever was placed there since holds a reservation, so the table is read for it.
What is attached meanwhile keeps its network too, since the Swarm refuses; whoever has found the network and comes a
moment too late to attach tries again, and makes it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

from swarmkeeper.domain.membership import JOINING_STATES, NodeState
from swarmkeeper.domain.model import Node, NodeId, Role
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import Clock, Routers, StateStore, Swarm
from swarmkeeper.services.managers import Managers

SWEEP_EVERY = 10
"""A tick in so many looks for networks."""
TICK_S = 60.0
AT_ONCE = 16
"""Engines asked at the same time."""
BUDGET = 20
"""So many networks are removed by one look."""
BEGIN_WITHIN_S = 10.0
"""No engine is asked and no network removed later than this in a look; the function has 55 s, and more to do."""
PASS_S = 300.0
"""Looks that go on with a pass: after this all engines are asked anew."""
WITHOUT_ENGINE = JOINING_STATES | {NodeState.LEAVING, NodeState.GONE}
"""Nodes on which no tenant's container is, or ever runs again."""


class NetworkSweep:
    """Looks at the whole fleet; every look may be repeated."""

    def __init__(
        self,
        *,
        store: StateStore,
        managers: Managers,
        swarm: Swarm,
        routers: Routers,
        clock: Clock,
        random: Random | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        self._store = store
        self._managers = managers
        self._swarm = swarm
        self._routers = routers
        self._clock = clock
        self._random = random or Random()  # noqa: S311  not for secrets
        self._at_once = at_once
        self._begun = 0.0
        self._known: dict[NodeId, frozenset[str]] = {}
        """What engines have said since the pass began; empty when none is to be gone on with."""

    def sweep(self, *, now: bool = False) -> tuple[str, ...]:
        """Remove some of the idle networks where it is this tick's turn, or `now`; returns their names.

        It is this tick's turn, too, where the last look has not come to its end. Raises Unavailable when an engine, or
        no manager, answers, and when there was no time to ask all engines.
        """
        if not self._goes_on() and not now and int(self._clock.now() / TICK_S) % SWEEP_EVERY:
            return ()
        if not self._managers.in_service():
            return ()
        there = self._managers.ask(self._swarm.tenant_networks)
        if not there:
            return ()
        asked = [node for node in self._store.nodes() if _may_use(node)]
        if not self._are_all(asked):
            return ()
        until = self._clock.now() + BEGIN_WITHIN_S
        used = self._used(asked, until)
        idle = [name for name in there if name not in used]
        self._random.shuffle(idle)  # those that the Swarm refuses each time are not always the first
        return self._remove(idle[:BUDGET], until)

    def _goes_on(self) -> bool:
        """Whether a pass is under way; else the next one begins now."""
        if self._known and self._clock.now() < self._begun + PASS_S:
            return True
        self._known = {}
        self._begun = self._clock.now()
        return False

    def _are_all(self, asked: Sequence[Node]) -> bool:
        """Whether the table knows every worker of the Swarm, as one that is made anew doesn't yet, and none is lost."""
        if any(node.state is NodeState.LOST or node.suspected_at is not None for node in asked):
            return False
        workers = {node.host_name for node in self._managers.nodes() if node.role is Role.WORKER}
        return workers <= {node.id for node in asked}

    def _used(self, nodes: Sequence[Node], until: float) -> frozenset[str]:
        """What every engine remembers, and what was placed where that was said at an earlier look."""
        earlier = [node for node in nodes if node.id in self._known]
        others = [node for node in nodes if node.id not in self._known]
        with ThreadPoolExecutor(self._at_once) as pool:
            answers = pool.map(lambda node: self._asked(node, until), others)
            if failures := [failure for failure in answers if failure is not None]:
                raise failures[0]
            if unknown := sum(node.id not in self._known for node in nodes):
                raise Unavailable(f"{unknown} of {len(nodes)} engines are still to be asked for their networks")
            placed = frozenset().union(*pool.map(self._placed, earlier))
        return placed.union(*(self._known[node.id] for node in nodes))

    def _asked(self, node: Node, until: float) -> Unavailable | None:
        """Note what its engine says if there is time; returns why it says nothing, which keeps no other from it."""
        if self._clock.now() >= until:
            return None
        try:
            self._known[node.id] = self._routers.used(node)
        except Unavailable as failure:
            return failure
        return None

    def _placed(self, node: Node) -> frozenset[str]:
        return frozenset(container.request.network for container in self._store.containers_on(node.id))

    def _remove(self, idle: Iterable[str], until: float) -> tuple[str, ...]:
        """Remove what may go; where time runs out the pass is not at its end."""
        removed: list[str] = []
        for name in idle:
            if self._clock.now() >= until:
                return tuple(sorted(removed))
            if self._removed(name):
                removed.append(name)
        self._known = {}
        return tuple(sorted(removed))

    def _removed(self, name: str) -> bool:
        return self._managers.ask(lambda manager: self._swarm.remove_network(manager, name))


def _may_use(node: Node) -> bool:
    return node.role is Role.WORKER and node.state not in WITHOUT_ENGINE
