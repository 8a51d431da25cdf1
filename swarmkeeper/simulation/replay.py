"""Replays a workload against one policy, event by event."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from random import Random

from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.simulation.fleet import Fleet
from swarmkeeper.simulation.measures import Measures, Sample
from swarmkeeper.simulation.model import PoolModel
from swarmkeeper.simulation.policies.base import Policy
from swarmkeeper.simulation.waiting import Waiting
from swarmkeeper.simulation.workload import Job, Workload

SAMPLE_S = 60.0
TOLD_EVERY = 1024
Watch = Callable[["Replay"], None]
Progress = Callable[[float], None]


def nobody(replay: Replay) -> None:
    """Watches nothing."""


def nobody_told(now: float) -> None:
    """Tells nobody."""


class Replay:
    """One run. Events at one time happen in this order: ends, nodes that become ready, arrivals, decisions.

    The run begins with nodes that are ready and ends with the workload, when whoever still waits has waited until
    then. `watch` is called after every decision.
    """

    def __init__(
        self,
        workload: Workload,
        model: PoolModel,
        policy: Policy,
        options: PlacementOptions,
        *,
        first_nodes: int = 1,
        warmup_s: float = 0.0,
        seed: int = 0,
        watch: Watch = nobody,
    ) -> None:
        self.fleet = Fleet(model, options)
        self.waiting = Waiting()
        self.measures = Measures(warmup_s, workload.end_s)
        self.policy = policy
        self.now = 0.0
        self._workload = workload
        self._watch = watch
        self._ends: list[tuple[float, int]] = []
        self._random = Random(seed)  # noqa: S311  not for secrets
        self._decides_at = 0.0
        self._samples_at = 0.0
        for _ in range(first_nodes):
            self.fleet.buy(-model.boot_s)
            self.fleet.finish_boot()

    def run(self, progress: Progress = nobody_told) -> Measures:
        """Replay everything; `progress` is told the simulated time now and then."""
        for job in self._workload.jobs:
            self._until(job.at)
            self._arrive(job)
            if not job.number % TOLD_EVERY:
                progress(self.now)
        self._until(self._workload.end_s)
        for job in self.waiting:
            self.measures.placed(job, self.now)
        for node in (*self.fleet.ready.values(), *self.fleet.booting):
            self.measures.paid(node, self.now)
        return self.measures

    def _until(self, end: float) -> None:
        """All ends and boots until `end`, and all decisions before it."""
        booting, ends = self.fleet.booting, self._ends
        while True:
            ends_at = ends[0][0] if ends else inf
            ready_at = booting[0].ready_at if booting else inf
            if ends_at <= end and ends_at <= ready_at and ends_at <= self._decides_at:
                self.now = ends_at
                self._end()
            elif ready_at <= end and ready_at <= self._decides_at:
                self.now = ready_at
                self._boot()
            elif self._decides_at < end:
                self.now = self._decides_at
                self._decide()
            else:
                break
        self.now = end

    def _arrive(self, job: Job) -> None:
        self.policy.arrived(job)
        if self.fleet.place(job):
            self._started(job)
        else:
            self.waiting.add(job)

    def _started(self, job: Job) -> None:
        self.measures.placed(job, self.now)
        end = self.now + job.lifetime_s
        if end < self._workload.end_s:
            heappush(self._ends, (end, job.number))

    def _end(self) -> None:
        _, number = heappop(self._ends)
        job = self._workload.jobs[number]
        self.fleet.end(job)
        self.policy.ended(job)
        self._serve()

    def _boot(self) -> None:
        node = self.fleet.finish_boot()
        if node.fails:
            self.measures.paid(node, self.now)
            self.measures.failed += 1
        else:
            self._serve()

    def _serve(self) -> None:
        if self.waiting:
            for job in self.waiting.serve(self.fleet.place):
                self._started(job)

    def _decide(self) -> None:
        change = self.policy.decide(self.fleet, self.waiting, self.now)
        for node_id in change.remove:
            self.measures.was_removed(self.fleet.remove(node_id), self.now)
        for _ in range(change.buy):
            node = self.fleet.buy(self.now)
            node.fails = self._random.random() < self.fleet.model.launch_failures
            self.measures.was_bought(self.now)
        self._watch(self)
        self._decides_at += self.policy.every_s
        if self.now >= self._samples_at:
            self._sample()

    def _sample(self) -> None:
        fleet = self.fleet
        self._samples_at = self.now + SAMPLE_S
        sample = Sample(self.now, len(fleet), len(fleet.ready), len(fleet.empty), len(self.waiting))
        self.measures.samples.append(sample)
