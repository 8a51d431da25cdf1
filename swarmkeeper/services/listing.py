"""Lists containers page by page; each page costs a bounded number of reads, whatever is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from swarmkeeper.domain.model import Container, ContainerState, NodeId
from swarmkeeper.errors import InvalidInput
from swarmkeeper.ports import StateStore

READS_MAX = 10
"""Reads of the table for one page; a page with few matches may be short, and is followed by others."""
SCANNED, NAMED = "scan ", "name "


class Visible(Protocol):
    """Whose containers the caller may see."""

    def holds(self, tenant: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Which containers are wanted; what is empty doesn't matter. `labels` without a value need only be there."""

    visible: Visible
    states: frozenset[ContainerState] = frozenset()
    tenant: str = ""
    node: str = ""
    labels: tuple[tuple[str, str | None], ...] = ()
    name_prefix: str = ""

    def holds(self, container: Container) -> bool:
        request = container.request
        return (
            self.visible.holds(request.tenant)
            and (not self.states or container.state in self.states)
            and self.tenant in ("", request.tenant)
            and self.node in ("", container.node, container.moving_to)
            and request.name.startswith(self.name_prefix)
            and all(_carries(request.labels.get(key), value) for key, value in self.labels)
        )


def _carries(value: str | None, wanted: str | None) -> bool:
    return value is not None and wanted in (None, value)


@dataclass(frozen=True, slots=True)
class Page:
    """Some containers, and where the listing goes on; `next` is "" at its end."""

    containers: tuple[Container, ...]
    next: str = ""


class Listing:
    """Reads pages; what changes during a listing may or may not be in it."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def page(self, selection: Selection, *, limit: int, after: str = "") -> Page:
        """At most `limit` containers; fewer, or none, may come before the last page. Raises InvalidInput.

        Those of one node, and those that wait, are found without reading others, ordered by name.
        """
        kind, position = after[: len(SCANNED)], after[len(SCANNED) :]
        if after and kind not in (SCANNED, NAMED):
            raise InvalidInput("next", "is not what a page before returned")
        if kind == SCANNED:
            return self._scanned(selection, limit, position)
        if selection.node:
            return _by_name(self._store.containers_on(NodeId(selection.node)), selection, limit, position)
        if selection.states == {ContainerState.PENDING}:
            return _by_name(self._store.pending(), selection, limit, position)
        return self._scanned(selection, limit, position)

    def _scanned(self, selection: Selection, limit: int, position: str) -> Page:
        found: list[Container] = []
        for _ in range(READS_MAX):
            containers, position = self._store.containers_page(limit=limit - len(found), after=position)
            found += filter(selection.holds, containers)
            if not position or len(found) > limit // 2:  # the last few would cost a read each
                break
        return Page(tuple(found), SCANNED + position if position else "")


def _by_name(containers: Iterable[Container], selection: Selection, limit: int, last: str) -> Page:
    following = sorted(_after(containers, selection, last), key=lambda one: one.name)
    page = tuple(following[:limit])
    return Page(page, NAMED + page[-1].name if len(following) > limit else "")


def _after(containers: Iterable[Container], selection: Selection, last: str) -> Iterator[Container]:
    return (one for one in containers if one.name > last and selection.holds(one))
