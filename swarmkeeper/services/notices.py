"""Tells the owners of what a leaving node holds and can't hand on: when it is to go, and when its time is up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from swarmkeeper.domain.leaving import owed_a_word
from swarmkeeper.domain.losses import loses_layer
from swarmkeeper.domain.membership import LeaveCause
from swarmkeeper.domain.model import Container, Leaving, Node, Notice
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import Clock, Event, Events, StateStore

TELLING_S = 60.0
"""A call that has claimed to tell and has not told by then has died with its function."""


class Notices:
    """Each is told once a drain: claimed in the node's record first, and given back where the bus refuses.

    A stronger cause to leave makes another drain of it, with a time of its own, and is told again.
    """

    def __init__(self, *, fleet_name: str, store: StateStore, events: Events, clock: Clock) -> None:
        self._fleet_name = fleet_name
        self._store = store
        self._events = events
        self._clock = clock

    def of_wait(self, node: Node, containers: Sequence[Container], *, until: float, ends: bool) -> Node:
        """Say how long what can't be moved is waited for, and whether it is taken off then. Returns the record.

        Raises NodeChanged when others were faster, Unavailable to be retried.
        """
        then = "ends" if ends else "serves-on"
        terms = {"until": _moment(until), "then": then}
        owed = [(each, terms) for each in owed_a_word(node, containers)]
        return self._tell(node, Event.CONTAINER_DRAINING, owed)

    def of_loss(self, node: Node, containers: Sequence[Container]) -> Node:
        """Say that the time is up: what can't be moved starts anew elsewhere. As `of_wait`.

        That is said too of what was to keep its layer and isn't saved as it stands.
        """
        lost = [*owed_a_word(node, containers), *(each for each in containers if loses_layer(node, each))]
        return self._tell(node, Event.CONTAINER_LOST, [(each, loss_of(each, node.reason)) for each in lost])

    def of_removal(self, container: Container, node: Node) -> None:
        """Say that what was to keep its layer is gone from its engine. Raises Unavailable to be retried."""
        about = {"fleet": self._fleet_name, "node": node.id, "pool": node.pool}
        whose = {"name": container.name, "tenant": container.request.tenant}
        lost = loss_of(container, f"it was removed on {node.id} behind the fleet's back")
        self._events.publish(Event.CONTAINER_LOST, [{**about, **whose, **lost}])

    def _tell(self, node: Node, event: Event, owed: Sequence[tuple[Container, dict[str, str]]]) -> Node:
        leaving = node.leaving or Leaving(LeaveCause.SCALE_IN, since=node.state_since, note=node.reason)
        if not owed or not self._is_open(leaving, event):
            return node
        claimed = self._store.save_node(_noted(node, leaving, Notice(event, self._clock.now() + TELLING_S)))
        about = {"fleet": self._fleet_name, "node": node.id, "pool": node.pool, "cause": leaving.cause.value}
        details = [{**about, **terms, "name": each.name, "tenant": each.request.tenant} for each, terms in owed]
        try:
            self._events.publish(event, details)
        except Unavailable:
            self._store.save_node(replace(claimed, leaving=leaving))
            raise
        return self._store.save_node(_noted(claimed, leaving, Notice(event, None)))

    def _is_open(self, leaving: Leaving, event: Event) -> bool:
        """Whether nobody has told it, nor is about to."""
        told = next((each for each in leaving.notices if each.event == event), None)
        return told is None or (told.claimed_until is not None and told.claimed_until <= self._clock.now())


def loss_of(container: Container, reason: str) -> dict[str, str]:
    """Why what it has written is lost, and what it starts anew from: its image, or its layer as it was saved once."""
    if container.snapshot is None:
        return {"reason": reason, "starts_from": "image"}
    return {"reason": reason, "starts_from": "snapshot", "saved_at": _moment(container.snapshot.taken_at)}


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def is_told(node: Node, event: Event) -> bool:
    """Whether this drain's owners were told."""
    return node.leaving is not None and Notice(event, None) in node.leaving.notices


def _noted(node: Node, leaving: Leaving, notice: Notice) -> Node:
    others = tuple(each for each in leaving.notices if each.event != notice.event)
    return replace(node, leaving=replace(leaving, notices=(*others, notice)))
