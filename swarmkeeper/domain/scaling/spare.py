"""Room to keep free, as pieces that each fit on one node."""

from __future__ import annotations

from dataclasses import dataclass

from swarmkeeper.domain.model import Node, Resources


@dataclass(frozen=True, slots=True)
class Spare:
    """Room to keep free: for `count` more containers of `piece` each."""

    piece: Resources
    count: int

    def on(self, node: Node) -> int:
        """How many of the pieces the node has room for, no more than are asked for; CPU, memory and slots count."""
        if node.health <= 0:
            return 0
        pieces = self.count if node.slots is None else min(self.count, node.slots - node.containers)
        if self.piece.nano_cpus:
            pieces = min(pieces, (node.capacity.nano_cpus - node.reserved.nano_cpus) // self.piece.nano_cpus)
        if self.piece.memory_bytes:
            pieces = min(pieces, (node.capacity.memory_bytes - node.reserved.memory_bytes) // self.piece.memory_bytes)
        return max(0, pieces)
