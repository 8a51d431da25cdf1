"""Who may begin a Swarm: the manager elected first; or, once all are lost, the one in the slot that a person has named.

Both stand in one fact, so that a recovery and an election can't both be had.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from swarmkeeper.domain.membership import JOINING_STATES
from swarmkeeper.domain.model import Node, PoolName, Role
from swarmkeeper.errors import InvalidInput, UnsafeAction
from swarmkeeper.ports import Clock, Fleet, StateStore
from swarmkeeper.services.drainer import TOMBSTONE_S

FIRST_MANAGER = "first-manager"
"""The fact: the id of the node that runs `swarm init`, or what `ordered` makes of a slot's pool."""
_ORDER = "recover/"


def ordered(pool: PoolName) -> str:
    """The fact while the Swarm is to be recovered in this pool's slot."""
    return f"{_ORDER}{pool}"


def ordered_pool(fact: str | None) -> PoolName | None:
    """The pool in whose slot the Swarm is to be recovered, where that is so."""
    return PoolName(fact.removeprefix(_ORDER)) if fact and fact.startswith(_ORDER) else None


def settle(store: StateStore, node: Node) -> None:
    """The node is in service: where it has recovered the Swarm, the order is carried out and holds no more."""
    if node.role is Role.MANAGER and store.fact(FIRST_MANAGER) == ordered(node.pool):
        store.replace_fact(FIRST_MANAGER, expected=ordered(node.pool), value=node.id)


class Slots:
    """Orders recoveries."""

    def __init__(
        self, *, store: StateStore, fleet: Fleet, clock: Clock, pools: AbstractSet[PoolName] = frozenset()
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._clock = clock
        self._pools = pools
        """Those with a slot."""

    def order(self, pool: PoolName) -> str:
        """Have the manager that launches into the slot go on with the state that is kept there; returns its id, or "".

        May be repeated. Another slot may be named as long as nobody is in the first. Raises InvalidInput for a pool
        without a slot, UnsafeAction where that could make a second Swarm, Conflict.
        """
        if pool not in self._pools:
            raise InvalidInput("pool", f"{pool} keeps no state: {', '.join(sorted(self._pools)) or 'no pool'} does")
        fact = self._store.fact(FIRST_MANAGER)
        if fact is None:
            raise UnsafeAction("there has been no Swarm yet: nothing is to be recovered")
        managers = [node for node in self._store.nodes() if node.role is Role.MANAGER]
        if fact != ordered(pool):
            members = [node for node in managers if node.state not in JOINING_STATES]
            self._refuse_beside(members, "is recorded as")
            self._refuse_beside([node for node in managers if node.id == fact], "may be beginning a Swarm: it is")
            earlier = ordered_pool(fact)
            self._refuse_beside([node for node in managers if node.pool == earlier], f"is in {earlier}, and is")
            self._bury(members)
            self._store.replace_fact(FIRST_MANAGER, expected=fact, value=ordered(pool))
        return next((node.id for node in managers if node.pool == pool and node.state in JOINING_STATES), "")

    def _refuse_beside(self, managers: Sequence[Node], what: str) -> None:
        """Raise UnsafeAction where a manager may live, or come back: it would go on beside the Swarm that is forced."""
        described = self._fleet.instances([node.id for node in managers]) if managers else ()
        left = {facts.id for facts in described if not facts.terminated}
        told = [f"{node.id} {what} {node.state}" for node in managers if node.id in left]
        if told:
            raise UnsafeAction(
                f"{'; '.join(told)}; end its instance first, and wait until EC2 says that it is terminated"
            )

    def _bury(self, ended: Sequence[Node]) -> None:
        """Recorded managers are asked, and who joins waits for them; the Swarm's list is put right once it goes on."""
        now = self._clock.now()
        for node in ended:
            told = replace(node, reason="ended with all other managers", state_since=now)
            self._store.bury_node(told, expires_at=now + TOMBSTONE_S)
