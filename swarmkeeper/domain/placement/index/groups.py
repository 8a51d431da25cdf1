"""Nodes by the label that is balanced over, such as their zone."""

from __future__ import annotations

from swarmkeeper.domain.placement.index.entries import NodeEntry


class Groups:
    """The nodes of each value of the label, and how many containers they hold together."""

    __slots__ = ("_containers", "_known", "_label", "_masks")

    def __init__(self, label: str) -> None:
        self._label = label
        self._masks: dict[str, int] = {}
        self._containers: dict[str, int] = {}
        self._known: dict[NodeEntry, tuple[str, int]] = {}
        """Each node's value, and how many of its containers are counted."""

    def add(self, entry: NodeEntry) -> None:
        """A node has come."""
        value = entry.node.labels.get(self._label, "")
        self._known[entry] = (value, entry.containers)
        self._masks[value] = self._masks.get(value, 0) | entry.bit
        self._containers[value] = self._containers.get(value, 0) + entry.containers

    def remove(self, entry: NodeEntry) -> None:
        """A node has gone."""
        value, containers = self._known.pop(entry)
        self._masks[value] &= ~entry.bit
        self._containers[value] -= containers
        if not self._masks[value]:
            del self._masks[value], self._containers[value]

    def follow(self, entry: NodeEntry) -> None:
        """A node may hold more or fewer containers than before."""
        value, containers = self._known[entry]
        self._containers[value] += entry.containers - containers
        self._known[entry] = (value, entry.containers)

    def emptiest(self, among: int) -> int:
        """Those of `among` whose group holds the fewest containers, all groups that share the lowest number."""
        fewest: int | None = None
        found = 0
        for value, mask in self._masks.items():
            here, containers = mask & among, self._containers[value]
            if not here or (fewest is not None and containers > fewest):
                continue
            found = found | here if containers == fewest else here
            fewest = containers
        return found
