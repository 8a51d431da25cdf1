"""A node whose record is made anew: known, and closed until all of its containers are known too."""

from __future__ import annotations

from dataclasses import replace

from swarmkeeper.domain.model import NO_RESOURCES, Node

RECORDING = "its containers are being recorded anew"


def closed(node: Node) -> Node:
    """The node as nothing is placed on it, and scaling leaves it alone however empty it looks."""
    return replace(node, capacity=NO_RESOURCES, slots=0, protected=True, reason=RECORDING)


def is_closed(node: Node) -> bool:
    return node.reason == RECORDING
