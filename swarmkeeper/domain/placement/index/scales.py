"""How full nodes are of one resource, in whole percents, and which of them a request's share takes one further.

With `100 * used = level * total + rest`, and the same for what is requested, the truncated percentage of both
together is the node's level plus the request's level, plus one exactly when the two rests reach the total: when
they carry. So levels need no request, and for a request the carries are a threshold on the rest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator

from swarmkeeper.domain.placement.index.thresholds import AtLeast, MaskCell
from swarmkeeper.domain.placement.strategies import FULL

SIZES_KEPT = 1024
"""Distinct requested amounts with masks of their own. One more, and all are forgotten: a bound on memory."""
STATES_KEPT = 4096
"""Distinct used amounts of one capacity that are remembered; sums of the same sizes come again and again."""


class State:
    """What follows from how much of a capacity is used; shared by the nodes that are alike in it.

    `fitting` counts the watched amounts that are free, and `reached` those that the rest reaches.
    """

    __slots__ = ("capacity", "fitting", "free", "level", "reached", "rest", "used")

    def __init__(self, capacity: Capacity, used: int, free: int, level: int, rest: int) -> None:
        self.capacity = capacity
        self.used = used
        self.free = free
        self.level = level
        self.rest = rest
        self.fitting = self.reached = 0


class Capacity:
    """A total of a resource, and the nodes that have it. `limit` is what may be used of it at most."""

    __slots__ = ("limit", "positions", "rests", "states", "total")

    def __init__(self, total: int, limit: int) -> None:
        self.total = total
        self.limit = limit
        self.positions: set[int] = set()
        self.rests = AtLeast()
        self.states: dict[int, State] = {}
        """By what is used; those of all its nodes are among them."""


class Scale:
    """One resource of all nodes, by their positions.

    Under `exact` no more may be used than there is. Otherwise the limit is what the truncated score takes for 100,
    and no single request may have more than the whole node: as classic Swarm.
    """

    __slots__ = ("_by_total", "_exact", "_free", "_totals", "capacities", "states")

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact
        self._by_total: dict[int, Capacity] = {}
        self._free = AtLeast()
        self._totals = AtLeast()
        self.capacities: list[Capacity | None] = []
        """Of each position; None where there is no node."""
        self.states: list[State] = []

    def add(self, position: int, bit: int, total: int, used: int) -> None:
        """A node has come."""
        capacity = self._by_total.get(total)
        if capacity is None:
            limit = total if self._exact else ((FULL + 1) * total - 1) // FULL
            capacity = self._by_total[total] = Capacity(total, limit)
        state = self._state(capacity, used)
        while len(self.states) <= position:
            self.capacities.append(None)
            self.states.append(state)
        self.capacities[position], self.states[position] = capacity, state
        capacity.positions.add(position)
        self._toggle(capacity, state, bit)

    def remove(self, position: int, bit: int) -> None:
        """A node has gone, or its total is about to change."""
        capacity = self.capacities[position]
        if capacity is None:
            return
        self.capacities[position] = None
        capacity.positions.remove(position)
        self._toggle(capacity, self.states[position], bit)
        if not capacity.positions:
            del self._by_total[capacity.total]

    def follow(self, position: int, bit: int, used: int) -> None:
        """A node that is there may have reserved more or less than before."""
        before = self.states[position]
        if used == before.used:
            return
        capacity = before.capacity
        self.states[position] = state = capacity.states.get(used) or self._state(capacity, used)
        first, last = before.fitting, state.fitting
        if first != last:
            cells = self._free.cells
            for cell in cells[first:last] if first < last else cells[last:first]:
                cell[0] ^= bit
        first, last = before.reached, state.reached
        if first != last:
            cells = capacity.rests.cells
            for cell in cells[first:last] if first < last else cells[last:first]:
                cell[0] ^= bit

    def having(self, amount: int) -> int:
        """The nodes that have so much free."""
        cell = self._free.get(amount)
        if cell is None:
            cell = self._watch_free(amount)
        return cell[0] if self._exact else cell[0] & self._having_in_all(amount)

    def share(self, capacity: Capacity, amount: int) -> tuple[int, MaskCell]:
        """The level of a requested amount on a capacity, and the nodes of it that carry."""
        level, rest = divmod(amount * FULL, capacity.total)
        carry = capacity.total - rest
        cell = capacity.rests.get(carry)
        if cell is None:
            rests = [(position, self.states[position].rest) for position in capacity.positions]
            cell = capacity.rests.watch(carry, rests)
            for state in capacity.states.values():
                state.reached += state.rest >= carry
        return level, cell

    def forget(self) -> None:
        """Forget the amounts that were requested."""
        for capacity in self._by_total.values():
            capacity.rests.forget()
            for state in capacity.states.values():
                state.reached = 0

    def _toggle(self, capacity: Capacity, state: State, bit: int) -> None:
        self._free.toggle(bit, state.free)
        self._totals.toggle(bit, capacity.total)
        capacity.rests.toggle(bit, state.rest)

    def _state(self, capacity: Capacity, used: int) -> State:
        """What follows from so much of the capacity being used."""
        state = capacity.states.get(used)
        if state is None:
            if len(capacity.states) >= STATES_KEPT:
                in_use = (self.states[position] for position in capacity.positions)
                capacity.states = {state.used: state for state in in_use}
            level, rest = divmod(used * FULL, capacity.total) if capacity.total > 0 else (0, 0)
            state = capacity.states[used] = State(capacity, used, capacity.limit - used, level, rest)
            state.fitting = bisect_right(self._free.amounts, state.free)
            state.reached = bisect_right(capacity.rests.amounts, rest)
        return state

    def _watch_free(self, amount: int) -> MaskCell:
        every = [state for capacity in self._by_total.values() for state in capacity.states.values()]
        if len(self._free) >= SIZES_KEPT:
            self._free.forget()
            self._totals.forget()
            for state in every:
                state.fitting = 0
        for state in every:
            state.fitting += state.free >= amount
        return self._free.watch(amount, self._values(lambda capacity, state: state.free))

    def _having_in_all(self, amount: int) -> int:
        return self._totals.watch(amount, self._values(lambda capacity, state: capacity.total))[0]

    def _values(self, value: Callable[[Capacity, State], int]) -> Iterator[tuple[int, int]]:
        for position, (capacity, state) in enumerate(zip(self.capacities, self.states, strict=True)):
            if capacity is not None:
                yield position, value(capacity, state)
