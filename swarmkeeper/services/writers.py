"""A shared volume has one writer: claimed before its container is placed, and as long as that is in the table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from swarmkeeper.domain.model import Container, ContainerName, Request
from swarmkeeper.errors import Conflict, SwarmkeeperError, VolumeTaken
from swarmkeeper.ports import RESERVATION_LEASE_S, Clock, StateStore

CLAIM_S = RESERVATION_LEASE_S
"""How long a claim counts without a container: longer than any call that stores one may live."""
TRIES = 5
SETTLED = 0.0
"""The time of a claim whose container is, or was, in the table: without that it counts no longer."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Whose a volume is: the container's name, what tells its request from others of the name, and since when."""

    name: ContainerName
    request: str
    at: float = SETTLED

    @classmethod
    def of(cls, request: Request, at: float = SETTLED) -> Writer:
        return cls(request.name, hashlib.sha256(f"{request.id}\n{request.body}".encode()).hexdigest()[:32], at)

    @classmethod
    def read(cls, text: str) -> Writer:
        stored = json.loads(text)
        return cls(ContainerName(stored["name"]), str(stored["request"]), float(stored["at"]))

    def text(self) -> str:
        return json.dumps({"name": self.name, "request": self.request, "at": self.at}, sort_keys=True)

    def is_same(self, other: Writer) -> bool:
        return (self.name, self.request) == (other.name, other.request)


class Writers:
    """Claims on shared volumes; a claim whose container is gone is taken over, so that nothing has to be cleaned up."""

    def __init__(self, *, store: StateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @contextmanager
    def claimed(self, request: Request) -> Iterator[None]:
        """Hold what the request writes while its container is stored; given back when that fails.

        Raises VolumeTaken. A call that dies inside leaves a claim that ends by itself.
        """
        if not request.writes:
            yield
            return
        for volume in request.writes:
            self._claim(volume, request)
        try:
            yield
        except SwarmkeeperError:
            self._give_back(request)
            raise
        self._settle(request)

    def restore(self, container: Container) -> None:
        """Make the container the writer of its volumes again, in a table that has forgotten it; the first one stays."""
        for volume in container.request.writes:
            self._store.set_fact_once(_fact(volume), Writer.of(container.request).text())

    def _claim(self, volume: str, request: Request) -> None:
        mine = Writer.of(request, self._clock.now())
        for _ in range(TRIES):
            stored = self._store.set_fact_once(_fact(volume), mine.text())
            if stored == mine.text():
                return
            if not Writer.read(stored).is_same(mine):
                self._refuse_while_held(volume, Writer.read(stored), mine)
            try:
                # Renewed even when it is ours: an earlier call's time may be about to end.
                self._store.replace_fact(_fact(volume), expected=stored, value=mine.text())
            except Conflict:
                continue
            return
        raise VolumeTaken(f"the shared volume {volume} is contended")

    def _refuse_while_held(self, volume: str, holder: Writer, mine: Writer) -> None:
        """Raise VolumeTaken unless the other's container is gone, and won't come any more."""
        container = self._store.container(holder.name)
        request = None if container is None else container.request
        if request is not None and volume in request.writes and Writer.of(request).is_same(holder):
            raise VolumeTaken(f"the shared volume {volume} is written by {holder.name}")
        if mine.at < holder.at + CLAIM_S:
            raise VolumeTaken(f"the shared volume {volume} is about to be written by {holder.name}")

    def _settle(self, request: Request) -> None:
        """The container is in the table: from now on its record says how long the claim counts."""
        for volume, stored in self._mine(request):
            self._replace(volume, stored, replace(Writer.read(stored), at=SETTLED).text())

    def _give_back(self, request: Request) -> None:
        known = self._store.container(request.name)
        if known is not None and Writer.of(known.request).is_same(Writer.of(request)):
            self._settle(request)  # it is there all the same: another call's, or this one's
            return
        for volume, stored in self._mine(request):
            self._replace(volume, stored, None)

    def _mine(self, request: Request) -> Iterator[tuple[str, str]]:
        for volume in request.writes:
            stored = self._store.fact(_fact(volume))
            if stored is not None and Writer.read(stored).is_same(Writer.of(request)):
                yield volume, stored

    def _replace(self, volume: str, stored: str, value: str | None) -> None:
        try:
            self._store.replace_fact(_fact(volume), expected=stored, value=value)
        except Conflict:  # another call of the same request has renewed it, and will settle it
            return


def _fact(volume: str) -> str:
    return f"volume-writer/{volume}"
