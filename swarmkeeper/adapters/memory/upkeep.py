"""Pulls and watches in memory."""

from __future__ import annotations

from threading import Lock

from swarmkeeper.domain.model import ContainerName, NodeId
from swarmkeeper.errors import Conflict
from swarmkeeper.ports import Pull, Watch


class MemoryPulls:
    """Pulls, under one lock."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._stored: dict[tuple[NodeId, str], Pull] = {}

    def pull(self, node_id: NodeId, image: str) -> Pull | None:
        with self._lock:
            return self._stored.get((node_id, image))

    def pulls_on(self, node_id: NodeId) -> tuple[Pull, ...]:
        with self._lock:
            return tuple(each for each in self._stored.values() if each.node_id == node_id)

    def save_pull(self, pull: Pull, *, over: Pull | None) -> None:
        with self._lock:
            if self._stored.get((pull.node_id, pull.image)) != over:
                raise Conflict(f"the pull of {pull.image} on {pull.node_id} is another call's")
            self._stored[pull.node_id, pull.image] = pull

    def drop_pull(self, pull: Pull) -> None:
        with self._lock:
            if self._stored.get((pull.node_id, pull.image)) == pull:
                del self._stored[pull.node_id, pull.image]


class MemoryWatches:
    """Watches, under one lock."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._stored: dict[ContainerName, Watch] = {}

    def due_watches(self, *, now: float, most: int) -> tuple[Watch, ...]:
        with self._lock:
            due = [each for each in self._stored.values() if each.due <= now]
        return tuple(sorted(due, key=lambda each: (each.due, each.name))[:most])

    def save_watch(self, watch: Watch) -> None:
        with self._lock:
            self._stored[watch.name] = watch

    def drop_watch(self, watch: Watch) -> None:
        with self._lock:
            held = self._stored.get(watch.name)
            if held is not None and (held.due, held.changed_at) == (watch.due, watch.changed_at):
                del self._stored[watch.name]
