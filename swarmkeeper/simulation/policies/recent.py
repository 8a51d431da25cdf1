"""The jobs that came lately and are still there, counted by size as time goes on."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from swarmkeeper.domain.model import Resources
from swarmkeeper.simulation.workload import Job


class Recent:
    """What waits or runs and came less than `window_s` ago; the same as `arrivals.observed` counts in a listing."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._jobs: deque[Job] = deque()
        self._there: set[int] = set()
        self._sizes: Counter[Resources] = Counter()

    def arrived(self, job: Job) -> None:
        """A job has come, later than all before."""
        self._jobs.append(job)
        self._there.add(job.number)
        self._count(job.reservation, 1)

    def ended(self, job: Job) -> None:
        """A job has ended."""
        if job.number in self._there:
            self._there.remove(job.number)
            self._count(job.reservation, -1)

    def until(self, now: float) -> Mapping[Resources, int]:
        """How many are left of the window now, by size."""
        while self._jobs and now - self._jobs[0].at >= self._window_s:
            self.ended(self._jobs.popleft())
        return self._sizes

    def _count(self, size: Resources, sign: int) -> None:
        self._sizes[size] += sign
        if not self._sizes[size]:
            del self._sizes[size]
