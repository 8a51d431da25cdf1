"""Jobs that wait for room, in the order in which they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import merge

from swarmkeeper.domain.model import Resources
from swarmkeeper.simulation.workload import Job


class Waiting:
    """A queue for each size, since jobs alike fit or don't fit alike."""

    def __init__(self) -> None:
        self._by_size: dict[Resources, deque[Job]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Job]:
        return merge(*self._by_size.values(), key=lambda job: job.number)

    def add(self, job: Job) -> None:
        """One more waits."""
        self._by_size.setdefault(job.reservation, deque()).append(job)
        self._count += 1

    def serve(self, place: Callable[[Job], bool]) -> list[Job]:
        """Place as many as there is room for, the longest waiting first; returns those that were placed.

        When one doesn't fit, neither does anything that is as large or larger in both dimensions.
        """
        served: list[Job] = []
        refused: list[Resources] = []
        while (size := self._next(refused)) is not None:
            job = self._by_size[size][0]
            if place(job):
                served.append(job)
                self._take(size)
            else:
                refused.append(size)
        return served

    def _next(self, refused: list[Resources]) -> Resources | None:
        """The size whose first job came first, among those that may still fit."""
        open_sizes = (size for size in self._by_size if not any(each.fits_in(size) for each in refused))
        return min(open_sizes, key=lambda size: self._by_size[size][0].number, default=None)

    def _take(self, size: Resources) -> None:
        queue = self._by_size[size]
        queue.popleft()
        self._count -= 1
        if not queue:
            del self._by_size[size]
