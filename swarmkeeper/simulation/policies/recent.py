"""The jobs that came lately and are still there, in sums that are kept as time goes on."""

from __future__ import annotations

from collections import Counter, deque

from swarmkeeper.domain.model import Resources
from swarmkeeper.simulation.workload import Job


class Recent:
    """What waits or runs and came less than `window_s` ago; the same as `arrivals.observed` counts in a listing."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._jobs: deque[Job] = deque()
        self._there: set[int] = set()
        self.sizes: Counter[Resources] = Counter()
        self._cpus = 0
        self._memory = 0

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

    def until(self, now: float) -> Resources:
        """All that is left of the window now, together."""
        while self._jobs and now - self._jobs[0].at >= self._window_s:
            self.ended(self._jobs.popleft())
        return Resources(self._cpus, self._memory)

    def _count(self, size: Resources, sign: int) -> None:
        self._cpus += size.nano_cpus * sign
        self._memory += size.memory_bytes * sign
        self.sizes[size] += sign
        if not self.sizes[size]:
            del self.sizes[size]
