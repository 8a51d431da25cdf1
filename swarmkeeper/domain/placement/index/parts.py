"""Parts of what stands on the nodes, each indexed from the first time that a request asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from swarmkeeper.domain.model import Occupant
from swarmkeeper.domain.placement.dependencies import is_found, short
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.holders import Order
from swarmkeeper.domain.placement.index.texts import TextIndex


class Part(Protocol):
    """Something of containers that is indexed."""

    def add(self, entry: NodeEntry, occupant: Occupant) -> None: ...

    def remove(self, entry: NodeEntry, occupant: Occupant) -> None: ...


class Containers:
    """Names and ids, as affinities with the key `container` compare them: of containers that have a name."""

    __slots__ = ("texts",)

    def __init__(self, order: Order) -> None:
        self.texts = TextIndex(order)

    def add(self, entry: NodeEntry, occupant: Occupant) -> None:
        """A container has come to a node."""
        if occupant.name:
            self.texts.add(occupant.name, entry)
            self.texts.add(occupant.id, entry)

    def remove(self, entry: NodeEntry, occupant: Occupant) -> None:
        """A container has left a node."""
        if occupant.name:
            self.texts.remove(occupant.name, entry)
            self.texts.remove(occupant.id, entry)


class Labels:
    """The values of one label; a container without it has the value ""."""

    __slots__ = ("_key", "texts")

    def __init__(self, key: str, order: Order) -> None:
        self._key = key
        self.texts = TextIndex(order)

    def add(self, entry: NodeEntry, occupant: Occupant) -> None:
        """A container has come to a node."""
        self.texts.add(occupant.labels.get(self._key, ""), entry)

    def remove(self, entry: NodeEntry, occupant: Occupant) -> None:
        """A container has left a node."""
        self.texts.remove(occupant.labels.get(self._key, ""), entry)


class References:
    """Names and ids by which requests depend on containers."""

    __slots__ = ("_ids", "_names")

    def __init__(self, order: Order) -> None:
        self._names = TextIndex(order)
        self._ids = TextIndex(order)

    def add(self, entry: NodeEntry, occupant: Occupant) -> None:
        """A container has come to a node."""
        self._names.add(occupant.name, entry)
        for each in ids_of(occupant):
            self._ids.add(each, entry)

    def remove(self, entry: NodeEntry, occupant: Occupant) -> None:
        """A container has left a node."""
        self._names.remove(occupant.name, entry)
        for each in ids_of(occupant):
            self._ids.remove(each, entry)

    def resolving(self, reference: str, among: int) -> int:
        """Those of `among` on which the reference means one container; see `dependencies.is_found`."""
        found = 0
        for entry in set(self._possible(reference)):
            if entry.bit & among and is_found(reference, tuple(entry.occupants.values()), entry.node_id, entry.name):
                found |= entry.bit
        return found

    def _possible(self, reference: str) -> Iterator[NodeEntry]:
        """Nodes that may resolve the reference: a few too many, never too few."""
        yield from self._names.holders(reference)
        for at, char in enumerate(reference):
            if char == "/":
                yield from self._names.holders(reference[at + 1 :])
        yield from self._ids.beginning(reference)


def ids_of(occupant: Occupant) -> Iterator[str]:
    """Every spelling of the container's ids."""
    for each in (occupant.id, occupant.swarm_id):
        if each:
            yield each
        if ":" in each:
            yield short(each)
