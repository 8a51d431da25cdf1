"""The cluster as placement keeps it between decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from swarmkeeper.domain.model import Image, Node, NodeId, Occupant, Request
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.index.batch import Batch
from swarmkeeper.domain.placement.index.choice import Choice
from swarmkeeper.domain.placement.index.chooser import Chooser
from swarmkeeper.domain.placement.index.contents import Contents
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.holders import Order
from swarmkeeper.domain.placement.index.roster import Roster
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.scheduler import Decision, decide_wish
from swarmkeeper.domain.placement.wish import Wish

NOBODY: frozenset[NodeId] = frozenset()


class UnknownNode(LookupError):
    """The index has no node of this id."""


class ClusterIndex:
    """Nodes, containers and images in structures that answer a decision without looking at each of them.

    Two things are told apart. A node's *totals* (`reserved`, `containers`) decide room, slots and order; they are
    those of its record, which may count reservations whose containers the index has not seen. Its *contents*
    (occupants, images) decide affinities, ports and references.

    - `put_node` takes facts and totals from a record, and `set_occupants` may do so together with all contents:
      what a fresh read says replaces whatever was added since the last one.
    - `put_occupant` and `remove_occupant` change contents only: the record's totals count these containers already,
      or no longer.
    - `hold` and `drop` change both: for a reservation that was just made or given back and isn't in the record yet.

    A container's key is its name, or its id when it has no name. Not safe for several threads at once.
    """

    def __init__(self, options: PlacementOptions) -> None:
        """An empty cluster. Raises UnknownStrategy."""
        self.options = options
        order = Order()
        self._entries: dict[NodeId, NodeEntry] = {}
        self._contents = Contents(options, order, self._entries)
        self._roster = Roster(options, order)
        self._chooser = Chooser(options, self._roster, self._contents)
        self._unnamed = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._entries

    def holds(self, node_id: NodeId, key: str) -> bool:
        """Whether a container of this key stands on the node. Raises UnknownNode."""
        return key in self._entry(node_id).occupants

    def put_node(self, node: Node, images: Sequence[Image] | None = None, *, host_name: str = "") -> None:
        """Add a node, or replace its facts and totals; its images too, unless they are None.

        `host_name` is given where it is not the node's id. Raises ValueError when another node has the name.
        """
        entry = self._entries.get(node.id)
        name = host_name or node.name
        if entry is None or entry.name != name:
            if self._roster.named(name) is not None:
                raise ValueError(f"two nodes are called {name!r}")
            entry = self._renamed(entry, node, host_name)
        else:
            self._roster.update(entry, node)
        if images is not None:
            self._contents.set_images(entry, tuple(images))

    def put(self, facts: NodeFacts) -> None:
        """Add a node with all that stands on it, or replace everything that is known of it."""
        self.put_node(facts.node, facts.images, host_name=facts.host_name)
        self.set_occupants(facts.id, facts.occupants)

    def remove_node(self, node_id: NodeId) -> None:
        """Forget a node and all that stands on it; one that is not known is forgotten already."""
        entry = self._entries.pop(node_id, None)
        if entry is None:
            return
        for occupant in entry.occupants.values():
            self._contents.remove(entry, occupant)
        self._contents.set_images(entry, ())
        self._roster.remove(entry)

    def put_occupant(self, node_id: NodeId, occupant: Occupant) -> None:
        """A container is on a node whose totals count it already; one of the same key is replaced."""
        self._insert(self._entry(node_id), occupant)

    def remove_occupant(self, node_id: NodeId, key: str) -> None:
        """A container is no longer on a node, whose totals don't count it any more; nothing if it isn't there."""
        entry = self._entry(node_id)
        occupant = entry.occupants.pop(key, None)
        if occupant is not None:
            self._contents.remove(entry, occupant)

    def set_occupants(self, node_id: NodeId, occupants: Iterable[Occupant], node: Node | None = None) -> None:
        """These, and no others, are the node's containers; `node`, where given, is the record read with them."""
        entry = self._entry(node_id)
        if node is not None:
            self.put_node(node, host_name=entry.host_name)
        fresh: dict[str, Occupant] = {}
        for each in occupants:
            key = each.name or each.id
            fresh[self._numbered(key) if not key or key in fresh else key] = each
        before, entry.occupants = entry.occupants, fresh
        for key, occupant in before.items():
            if fresh.get(key) != occupant:
                self._contents.remove(entry, occupant)
        for key, occupant in fresh.items():
            if before.get(key) != occupant:
                self._contents.add(entry, occupant)

    def hold(self, node_id: NodeId, occupant: Occupant) -> str:
        """A reservation has been made on a node: contents and totals grow. Returns the container's key.

        A container of this key that stands there already is replaced, and only the difference counts.
        """
        entry = self._entries.get(node_id) or self._entry(node_id)
        key = occupant.name or occupant.id
        if not key or key in entry.occupants:
            return self._hold_again(entry, occupant)
        entry.occupants[key] = occupant
        self._contents.add(entry, occupant)
        self._roster.change(entry, occupant.reservation, 1, 1)
        return key

    def drop(self, node_id: NodeId, key: str) -> Occupant | None:
        """A reservation has been given back: contents and totals shrink. Nothing if the container isn't there."""
        entry = self._entries.get(node_id) or self._entry(node_id)
        occupant = entry.occupants.pop(key, None)
        if occupant is not None:
            self._contents.remove(entry, occupant)
            self._roster.change(entry, occupant.reservation, -1, -1)
        return occupant

    def choose(self, wish: Wish, *, seed: int | None = None, avoid: frozenset[NodeId] = NOBODY) -> Choice:
        """The node that the wish goes to: soft expressions enforced first, and all dropped if that leaves none.

        Decides as `scheduler.decide_wish` does on the same nodes. `avoid` is added to the wish's own.
        """
        return self._chooser.choose(replace(wish, avoid=wish.avoid | avoid) if avoid else wish, seed)

    def ranking(self, wish: Wish, most: int, *, seed: int | None = None) -> tuple[tuple[NodeId, int], ...]:
        """The best nodes for the wish, at most so many, best first, each with its weight; `choose` gives the first."""
        return tuple((entry.node_id, weight) for entry, weight in self._chooser.ranked(wish, seed, most))

    def place_many(
        self, requests: Sequence[Request], *, seed: int | None = None, avoid: frozenset[NodeId] = NOBODY
    ) -> tuple[Choice, ...]:
        """Choose for each request in its order and hold what was chosen, as one by one.

        Requests in a row that differ by name only are cheap. Raises InvalidExpression, having placed nothing.
        """
        batch = Batch(self.options, self._roster, self._chooser, self)
        return batch.place(requests, seed, avoid)

    def prepare(self) -> None:
        """Make what the first affinity of a container's name would have to make: a look at every container.

        For who has just filled the index with contents and answers no request yet.
        """
        self._contents.prepare()

    def facts(self, node_id: NodeId) -> NodeFacts:
        """A node as it is known. Raises UnknownNode."""
        return self._entry(node_id).facts()

    def explain(self, wish: Wish, *, seed: int | None = None) -> Decision:
        """The decision with all candidates in their order, and for every other node what it lacks, in words.

        Looks at every node and container: for people, not for placing.
        """
        entries = sorted(self._entries.values(), key=lambda each: each.name)
        return decide_wish(wish, [each.facts() for each in entries], self.options, seed=seed)

    def _entry(self, node_id: NodeId) -> NodeEntry:
        entry = self._entries.get(node_id)
        if entry is None:
            raise UnknownNode(node_id)
        return entry

    def _renamed(self, before: NodeEntry | None, node: Node, host_name: str) -> NodeEntry:
        """A new entry for the node, with the contents that it had under another name."""
        images = () if before is None else before.images
        if before is not None:
            self.remove_node(node.id)
        entry = self._entries[node.id] = NodeEntry(node, host_name)
        self._roster.add(entry)
        if before is not None:
            self._contents.set_images(entry, images)
            self.set_occupants(node.id, before.occupants.values())
        return entry

    def _hold_again(self, entry: NodeEntry, occupant: Occupant) -> str:
        """Hold a container that has no key, or whose key is taken."""
        before = entry.occupants.get(occupant.name or occupant.id)
        key = self._insert(entry, occupant)
        if before is None:
            self._roster.change(entry, occupant.reservation, 1, 1)
        else:
            self._roster.change(entry, occupant.reservation - before.reservation, 1, 0)
        return key

    def _insert(self, entry: NodeEntry, occupant: Occupant) -> str:
        key = occupant.name or occupant.id or self._numbered("")
        before = entry.occupants.get(key)
        if before is not None:
            self._contents.remove(entry, before)
        entry.occupants[key] = occupant
        self._contents.add(entry, occupant)
        return key

    def _numbered(self, key: str) -> str:
        """A key for a container whose own is empty or taken; no name or id has a line break."""
        self._unnamed += 1
        return f"{key}\n{self._unnamed}"
