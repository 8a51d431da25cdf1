"""Keep a node's router on the networks of the tenants that have containers there, and on no others.

Nothing keeps a record of this: the router's own networks are compared with what the table has on the node. Who makes a
container reserves its room first, then looks whether the router is on its network. So after the router was taken off
one, the table is read again: a reservation from before that is seen here, and a later one's maker finds it off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import TENANT_NETWORK, Node, NodeId, Role
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import Clock, Routers, StateStore
from swarmkeeper.services.recording import is_closed

AT_ONCE = 8
"""So many networks are attached or left by one look, at some 0.8 s each; the function has half a minute."""
FAILURES_AT_ONCE = 2
"""So many of each kind, which may each take as long as an engine is waited for."""
BEGIN_WITHIN_S = 15.0
"""Only the first of each kind is begun later than this in a look: an engine that is slow may answer each time."""
LOOKED_AT = frozenset({NodeState.READY, NodeState.DRAINING})


@dataclass(frozen=True, slots=True)
class Upkept:
    """What a look has changed, by the networks' names."""

    attached: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class RouterUpkeep:
    """Looks after one node's router at a time; every look may be repeated."""

    def __init__(self, *, store: StateStore, routers: Routers, clock: Clock, random: Random | None = None) -> None:
        self._store = store
        self._routers = routers
        self._clock = clock
        self._random = random or Random()  # noqa: S311  not for secrets

    def attach(self, node_id: NodeId) -> Upkept:
        """Put the router onto what it lacks, as one that Compose has made anew does. Raises Unavailable.

        Raises Unavailable too when more is lacking than one look makes good: whoever called does so again.
        """
        node = self._looked_at(node_id)
        return Upkept() if node is None else self._upkept(node, leave=0)

    def settle(self, node_id: NodeId) -> Upkept:
        """Do as `attach`, and take the router off networks of which the node has no container. Raises Unavailable."""
        node = self._looked_at(node_id)
        return Upkept() if node is None else self._upkept(node, leave=AT_ONCE)

    def _looked_at(self, node_id: NodeId) -> Node | None:
        node = self._store.node(node_id)
        if node is None or node.role is not Role.WORKER or node.state not in LOOKED_AT or is_closed(node):
            return None
        return node

    def _upkept(self, node: Node, *, leave: int) -> Upkept:
        until = self._clock.now() + BEGIN_WITHIN_S
        wanted, on = self._wanted(node.id), self._routers.networks(node)
        if on is None:
            return Upkept()
        lacking = self._shuffled(wanted - on)
        idle = self._shuffled(name for name in on - wanted if name.startswith(TENANT_NETWORK))
        failed: list[Unavailable] = []
        attached = [
            network
            for network in self._begun(lacking[:AT_ONCE], failed, until)
            if _done(self._routers.attach, node, network, failed)
        ]
        stuck: list[Unavailable] = []
        left = [network for network in self._begun(idle[:leave], stuck, until) if self._left(node, network, stuck)]
        if failures := failed + stuck:
            raise failures[0]
        if missing := len(lacking) - len(attached):
            raise Unavailable(f"{node.id}: its router is to be put on {missing} networks more")
        return Upkept(tuple(sorted(attached)), tuple(sorted(left)))

    def _shuffled(self, networks: Iterable[str]) -> list[str]:
        """In another order each time: those that fail always are not always the first that are tried."""
        ordered = sorted(networks)
        self._random.shuffle(ordered)
        return ordered

    def _begun(self, networks: Sequence[str], failures: Sequence[Unavailable], until: float) -> Iterator[str]:
        """The first in any case, so that neither kind waits for the other for good; more while this goes well."""
        for place, network in enumerate(networks):
            if place and (len(failures) >= FAILURES_AT_ONCE or self._clock.now() >= until):
                return
            yield network

    def _wanted(self, node_id: NodeId) -> frozenset[str]:
        """Tenants' networks of all that holds a reservation there, in whatever state."""
        networks = {container.request.network for container in self._store.containers_on(node_id)}
        return frozenset(name for name in networks if name.startswith(TENANT_NETWORK))

    def _left(self, node: Node, network: str, failures: list[Unavailable]) -> bool:
        """Whether the router has left it, and need not be back for what was placed meanwhile.

        The table is read after a failure too: where the answer alone was lost the router is off.
        """
        has_left = _done(self._routers.detach, node, network, failures)
        if network in self._wanted(node.id):
            _done(self._routers.attach, node, network, failures)
            return False
        return has_left


def _done(change: Callable[[Node, str], None], node: Node, network: str, failures: list[Unavailable]) -> bool:
    """Whether it succeeded. A failure is noted: one network that fails keeps no other's waiting."""
    try:
        change(node, network)
    except Unavailable as failure:
        failures.append(failure)
        return False
    return True
