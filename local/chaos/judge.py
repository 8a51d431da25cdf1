"""Whether the invariants hold in what is seen from outside; shared/design's I1 to I7, each by its own rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from local.chaos.ledger import Entry, Fate
from local.chaos.snapshot import GONE, Amount, ContainerRecord, NodeRecord, Snapshot

PENDING, RUNNING = "pending", "running"
HAS_ENDED = "its process has ended"
SERVING = frozenset({"ready", "draining"})


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant: of what, and how."""

    invariant: str
    subject: str
    what: str


def always(seen: Snapshot) -> list[Violation]:
    """What must hold at every moment: I1, I2 and the bounds of I6."""
    return [*_overfull(seen), *_unequal_totals(seen), *_leaked(seen), *_doubled(seen), *_out_of_bounds(seen)]


def at_rest(seen: Snapshot, asked: Sequence[Entry]) -> list[Violation]:
    """What must hold once everything has come to rest: all of them."""
    return [
        *always(seen),
        *_unanswered(asked),
        *_lost_requests(seen, asked),
        *_not_removed(seen, asked),
        *_unready_in_service(seen),
        *_ghosts(seen),
        *_lost_containers(seen, asked),
        *_unequal_to_engines(seen),
        *_strangers(seen),
    ]


def ghosts(seen: Snapshot) -> list[Violation]:
    """Nodes and containers that only one side knows of."""
    return [*_ghosts(seen), *_strangers(seen)]


def leaked(seen: Snapshot) -> list[Violation]:
    """Reservations that are held for nobody."""
    return list(_leaked(seen))


# I1


def _live(seen: Snapshot) -> Iterator[NodeRecord]:
    return (node for node in seen.nodes.values() if node.state != GONE)


def _held(node: NodeRecord) -> Amount:
    return reduce(add, node.holds.values(), Amount())


def _overfull(seen: Snapshot) -> Iterator[Violation]:
    for node in _live(seen):
        held, offered = _held(node), node.capacity
        if held.nano_cpus > offered.nano_cpus or held.memory_bytes > offered.memory_bytes:
            yield Violation("I1", node.id, f"{held} is reserved of {offered}")
        if node.slots is not None and held.containers > node.slots:
            yield Violation("I1", node.id, f"{held.containers} containers hold its {node.slots} slots")


def _unequal_totals(seen: Snapshot) -> Iterator[Violation]:
    for node in _live(seen):
        if (held := _held(node)) != node.reserved:
            yield Violation("I1", node.id, f"its total says {node.reserved}, its reservations {held}")


def _leaked(seen: Snapshot) -> Iterator[Violation]:
    """Reservations without a container that is there or on its way there, and containers without a reservation."""
    for node in seen.nodes.values():
        for name in node.holds:
            record = seen.containers.get(name)
            if record is None or node.id not in (record.node, record.moving_to):
                yield Violation("I1", name, f"its reservation on {node.id} belongs to nobody")
    for record in seen.containers.values():
        for place in filter(None, (record.node, record.moving_to)):
            if place not in seen.nodes or record.name not in seen.nodes[place].holds:
                yield Violation("I1", record.name, f"it is {record.state} on {place} without a reservation")


# I2


def _doubled(seen: Snapshot) -> Iterator[Violation]:
    names = {one.name for held in seen.engines.values() for one in held}
    for name in sorted(names):
        if len(copies := seen.copies(name)) > 1:
            yield Violation("I2", name, f"runs on {' and '.join(copies)}")
    for machine, held in seen.engines.items():
        listed = [one.name for one in held]
        for name in sorted({name for name in listed if listed.count(name) > 1}):
            yield Violation("I2", name, f"twice on {machine}")


# I3


def _unanswered(asked: Sequence[Entry]) -> Iterator[Violation]:
    for entry in asked:
        if entry.fate in (Fate.ASKED, Fate.REMOVING):
            yield Violation("I3", entry.name, f"is {entry.fate}, and nothing certain was said to that")


def _lost_requests(seen: Snapshot, asked: Sequence[Entry]) -> Iterator[Violation]:
    for entry in asked:
        if entry.fate is Fate.MISSED:
            yield Violation("I3", entry.name, "was accepted, not removed, and unknown to its removal")
        if entry.fate is not Fate.ACCEPTED:
            continue
        record = seen.containers.get(entry.name)
        if record is None:
            yield Violation("I3", entry.name, "was accepted and is nowhere in the table")
        elif not _has_settled(record):
            yield Violation("I3", entry.name, f"is {_standing(record)}")


def _has_settled(record: ContainerRecord) -> bool:
    if record.moving_to:
        return False
    return record.state == RUNNING or (record.state == PENDING and bool(record.reason))


def _standing(record: ContainerRecord) -> str:
    moving = f", moving to {record.moving_to}" if record.moving_to else ""
    return f"{record.state} on {record.node or 'no node'}{moving}, with the reason {record.reason!r}"


def _not_removed(seen: Snapshot, asked: Sequence[Entry]) -> Iterator[Violation]:
    for entry in asked:
        if entry.fate is not Fate.REMOVED:
            continue
        if entry.name in seen.containers:
            yield Violation("I3", entry.name, f"was removed and is {_standing(seen.containers[entry.name])}")


# I4


def _unready_in_service(seen: Snapshot) -> Iterator[Violation]:
    for instance, group in seen.in_service().items():
        node = seen.nodes.get(instance)
        if node is None or node.state not in SERVING:
            yield Violation("I4", instance, f"is in service of {group.pool} and {node.state if node else 'no node'}")
        elif not seen.swarm.get(instance):
            yield Violation("I4", instance, f"is in service of {group.pool} and not ready in the Swarm")


def _ghosts(seen: Snapshot) -> Iterator[Violation]:
    instances = {instance for group in seen.groups for instance in group.instances}
    for host in sorted(set(seen.swarm) - instances):
        yield Violation("I4", host, "has no instance and is in the Swarm")
    for node in _live(seen):
        if node.id not in instances:
            yield Violation("I4", node.id, f"has no instance and is {node.state} in the table")


# I5


def _lost_containers(seen: Snapshot, asked: Sequence[Entry]) -> Iterator[Violation]:
    for entry in asked:
        record = seen.containers.get(entry.name)
        if not entry.movable or entry.fate is not Fate.ACCEPTED or record is None or record.state != RUNNING:
            continue
        if not seen.copies(entry.name):
            yield Violation("I5", entry.name, f"is movable, {_standing(record)}, and runs nowhere")


# I6


def _out_of_bounds(seen: Snapshot) -> Iterator[Violation]:
    for group in seen.groups:
        if not group.least <= group.desired <= group.most:
            yield Violation("I6", group.pool, f"wants {group.desired} of {group.least} to {group.most}")


# I7


def _unequal_to_engines(seen: Snapshot) -> Iterator[Violation]:
    for record in seen.containers.values():
        if record.state != RUNNING or record.moving_to:
            continue
        there = next((one for one in seen.engines.get(record.node, ()) if one.name == record.name), None)
        if there is None:
            yield Violation("I7", record.name, f"the table has it on {record.node}, whose engine hasn't")
        elif there.running and record.reason == HAS_ENDED:
            yield Violation("I7", record.name, f"on {record.node} it runs: {record.reason!r}")
        elif not there.running:  # nothing of the load ends by itself, so its engine was started anew
            yield Violation("I7", record.name, f"on {record.node} it has stopped, and isn't started: {record.reason!r}")


def _strangers(seen: Snapshot) -> Iterator[Violation]:
    """Copies that have run where the table hasn't them. What never ran is tidied ten minutes later by its own rule."""
    for machine, held in seen.engines.items():
        for one in held:
            record = seen.containers.get(one.name)
            if one.has_run and (record is None or machine not in (record.node, record.moving_to)):
                yield Violation("I7", one.name, f"is on {machine}, where the table hasn't it")
