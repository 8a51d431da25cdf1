"""What a reservation writes at its node: the totals, the revision, and the item that says what is held."""

from __future__ import annotations

from swarmkeeper.adapters.aws.items import RESERVED_GENERIC, Item, change_keys, hold_key, node_key, number, text
from swarmkeeper.adapters.aws.occupant_json import occupant_text
from swarmkeeper.adapters.aws.writes import Terms, Write, add_to, delete, put, set_attributes
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node, NodeId, Request, Resources
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.ports import Limit


def take(node: Node, request: Request, limit: Limit, *, now: float) -> list[Write]:
    """Hold a reservation if the node is as the caller saw it, with room."""
    hold: Item = {**hold_key(node.id, request.name), "occupant": text(occupant_text(occupant_of(request)))}
    return [
        _change(node.id, _amounts(request.reservation, +1), _as_seen(node, request, limit), now),
        put(hold, Terms().absent()),
    ]


def take_anyway(node_id: NodeId, request: Request, engine_id: str, *, now: float) -> list[Write]:
    """Hold a reservation for what runs on the node already, whatever room there is."""
    hold: Item = {**hold_key(node_id, request.name), "occupant": text(occupant_text(occupant_of(request, engine_id)))}
    there = Terms().equal("pk", node_key(node_id)["pk"]).differ("state", text(NodeState.GONE))
    return [_change(node_id, _amounts(request.reservation, +1), there, now), put(hold, Terms().absent())]


def free(node_id: NodeId, request: Request, *, now: float) -> list[Write]:
    """Give a reservation back; the totals can't go below zero."""
    amounts = _amounts(request.reservation, -1)
    enough = Terms()
    for name, amount in amounts.items():
        enough.at_least(name, -amount)
    return [
        _change(node_id, amounts, enough, now),
        delete(hold_key(node_id, request.name), _held(node_id)),
    ]


def occupy(node_id: NodeId, request: Request, engine_id: str, *, now: float) -> list[Write]:
    """The engine knows the container now, which others may refer to by its id."""
    known = {"occupant": text(occupant_text(occupant_of(request, engine_id)))}
    return [
        _change(node_id, {}, Terms().at_least("containers", 1), now),
        set_attributes(hold_key(node_id, request.name), known, _held(node_id)),
    ]


def _change(node_id: NodeId, amounts: dict[str, int], terms: Terms, now: float) -> Write:
    moved = {"changed_at": change_keys(node_id, now)["changed_at"]}
    return add_to(node_key(node_id), {**amounts, "revision": 1}, terms, attributes=moved)


def _as_seen(node: Node, request: Request, limit: Limit) -> Terms:
    terms = Terms().equal("epoch", number(node.epoch)).equal("state", text(node.state))
    terms.at_most("reserved_nano_cpus", limit.reserved.nano_cpus)
    terms.at_most("reserved_memory_bytes", limit.reserved.memory_bytes)
    most = dict(limit.reserved.generic)
    for kind in sorted(most.keys() | dict(request.reservation.generic).keys()):
        terms.at_most_or_absent(f"{RESERVED_GENERIC}{kind}", most.get(kind, 0))
    if limit.containers is not None:
        terms.at_most("containers", limit.containers)
    if limit.revision is not None:
        terms.equal("revision", number(limit.revision))
    return terms


def _held(node_id: NodeId) -> Terms:
    return Terms().equal("pk", node_key(node_id)["pk"])


def _amounts(reservation: Resources, sign: int) -> dict[str, int]:
    amounts = {
        "reserved_nano_cpus": sign * reservation.nano_cpus,
        "reserved_memory_bytes": sign * reservation.memory_bytes,
        "containers": sign,
    }
    return amounts | {f"{RESERVED_GENERIC}{kind}": sign * amount for kind, amount in reservation.generic}
