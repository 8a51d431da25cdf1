"""References to containers of a node, as links, volumes-from and container networks make them."""

from __future__ import annotations

from collections.abc import Sequence

from swarmkeeper.domain.model import Occupant

SHORT_ID = 12


def is_found(reference: str, occupants: Sequence[Occupant], node_id: str, node_name: str) -> bool:
    """Whether the reference means exactly one container of the node.

    Asked in this order, as classic Swarm does: a full or short id; a full or short Swarm id; a name, also behind
    the node's name or id and a slash (two containers of that name: not found); the beginning of the id or Swarm
    id of a single container.
    """
    if not reference:
        return False
    if any(reference in (each.id, short(each.id), each.swarm_id, short(each.swarm_id)) for each in occupants):
        return True
    named = sum(1 for each in occupants if each.name and reference in spellings(each.name, node_id, node_name))
    if named:
        return named == 1
    return sum(1 for each in occupants if begins(each, reference)) == 1


def short(container_id: str) -> str:
    """The id as Docker prints it: without an algorithm before a colon, twelve characters."""
    return container_id.partition(":")[2][:SHORT_ID] if ":" in container_id else container_id[:SHORT_ID]


def spellings(name: str, node_id: str, node_name: str) -> tuple[str, ...]:
    """What a container of this name may be called."""
    return (name, f"/{name}", f"{node_name}/{name}", f"{node_id}/{name}")


def begins(occupant: Occupant, reference: str) -> bool:
    """Whether an id of the container begins with the reference."""
    return occupant.id.startswith(reference) or occupant.swarm_id.startswith(reference)
