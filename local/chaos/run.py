"""One run: load, faults as planned, the judge's look a few times a second, and the wait for quiet."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from local.chaos import judge
from local.chaos.faults import INJECTORS
from local.chaos.faults.kinds import Injected
from local.chaos.healing import Healing
from local.chaos.judge import Violation
from local.chaos.ledger import Fate, Ledger
from local.chaos.load import Load
from local.chaos.plan import Planned
from local.chaos.sight import Sight
from local.chaos.snapshot import Snapshot
from local.chaos.stage import Stage
from local.machines import MachineError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.4
SWARM_EVERY_S = 2.0
WARM_UP_S = 300.0
"""How long the fleet may take until it serves."""
ASK_AGAIN_S = 5.0
QUIET_LOOKS = 5
"""So many looks in a row, each with all invariants, are quiet."""
REAL_DOUBLE_LOOKS = 2
"""Real engines are listed one after another, so a move between two lists looks like a double once, not twice."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class Course:
    """One fault from its beginning; times are of the clock of snapshots."""

    planned: Planned
    injected: Injected
    before: Snapshot
    began_at: float
    beginning: Future[None]
    ending: Future[None] | None = None
    struck_at: float | None = None
    healing: Healing | None = None
    waited_for: tuple[str, ...] = ()
    """What kept it from having healed, at the last look that found it so."""
    healed_at: float | None = None

    @property
    def is_open(self) -> bool:
        return self.healed_at is None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has found; times in seconds from the first fault's draw."""

    began_at: float
    courses: tuple[Course, ...]
    skipped: tuple[Planned, ...]
    violations: tuple[tuple[float, Violation], ...]
    last: Snapshot
    ledger: Ledger
    quiet_after_s: float | None


@dataclass(slots=True)
class Run:
    """Goes through a plan on a stage."""

    stage: Stage
    sight: Sight
    load: Load
    ledger: Ledger
    tell: Tell
    deadline_s: float
    is_atomic: bool
    """Whether all engines are listed at one moment."""
    unreached: Callable[[Snapshot], list[Violation]]
    """What else must hold at rest, and is asked only then: whether routers reach what runs."""
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8, "chaos"))
    _courses: list[Course] = field(default_factory=list)
    _violations: list[tuple[float, Violation]] = field(default_factory=list)
    _doubles: dict[Violation, int] = field(default_factory=dict)
    _looked_deeply: float = 0.0
    _began_at: float = 0.0

    def go(self, plan: Sequence[Planned], *, warm: Callable[[Snapshot], bool]) -> Outcome:
        """Raises TimeoutError when the fleet doesn't get to serve at all."""
        try:
            self._warm_up(warm)
            self._began_at = time.monotonic()
            skipped = self._inject_all(plan)
            self.load.stop()
            quiet_after_s = self._come_to_rest()
            last = self.sight.look_deeply()
            return Outcome(
                self._began_at, tuple(self._courses), skipped, tuple(self._violations), last, self.ledger, quiet_after_s
            )
        finally:
            self.load.stop()
            self._pool.shutdown()

    def _warm_up(self, warm: Callable[[Snapshot], bool]) -> None:
        deadline = time.monotonic() + WARM_UP_S
        self.tell("waiting for workers and the load")
        is_loaded = False
        while not warm(seen := self.sight.look_deeply()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the fleet does not serve after {WARM_UP_S:.0f} s")
            if not is_loaded and any(node.role == "worker" and node.state == "ready" for node in seen.nodes.values()):
                self.load.start()
                is_loaded = True
            time.sleep(LOOK_EVERY_S)

    def _inject_all(self, plan: Sequence[Planned]) -> tuple[Planned, ...]:
        """Inject each fault at its time, or as soon as there is somebody to hit; returns those that hit nobody."""
        waiting, coming = list[Planned](), list(plan)
        patience_until = self._began_at + (plan[-1].at_s if plan else 0.0) + self.deadline_s / 2
        while (waiting or coming) and time.monotonic() < patience_until:
            seen = self._look()
            while coming and self._began_at + coming[0].at_s <= seen.at:
                waiting.append(coming.pop(0))
            waiting = [planned for planned in waiting if not self._inject(planned, seen)]
            self._pause(seen)
        return (*waiting, *coming)

    def _inject(self, planned: Planned, seen: Snapshot) -> bool:
        injected = INJECTORS[planned.kind](self.stage, planned, seen, self._hit())
        if injected is None:
            return False
        beginning = self._pool.submit(injected.begin)
        self._courses.append(Course(planned, injected, seen, seen.at, beginning))
        self.tell(f"{seen.at - self._began_at:6.1f} s  {planned.number:4d}  {planned.kind}: {injected.target}")
        return True

    def _hit(self) -> set[str]:
        return {one.injected.target for one in self._courses if one.is_open and one.injected.hits_node}

    def _look(self) -> Snapshot:
        """Look, judge, and take every fault further."""
        if time.monotonic() >= self._looked_deeply + SWARM_EVERY_S:
            self._looked_deeply = time.monotonic()
            seen = self.sight.look_deeply()
        else:
            seen = self.sight.look()
        self._judge(seen)
        for course in self._courses:
            if course.is_open:
                self._go_on(course, seen)
        return seen

    def _judge(self, seen: Snapshot) -> None:
        found = self._certain(judge.always(seen))
        known = {violation for _, violation in self._violations}
        for violation in found:
            if violation not in known:
                self._violations.append((seen.at - self._began_at, violation))
                self.tell(f"VIOLATED {violation.invariant}: {violation.subject} {violation.what}")

    def _certain(self, found: list[Violation]) -> list[Violation]:
        if self.is_atomic:
            return found
        doubles = [one for one in found if one.invariant == "I2"]
        self._doubles = {one: self._doubles.get(one, 0) + 1 for one in doubles}
        return [one for one in found if self._doubles.get(one, REAL_DOUBLE_LOOKS) >= REAL_DOUBLE_LOOKS]

    def _go_on(self, course: Course, seen: Snapshot) -> None:
        """From its beginning to the strike, its end, and its healing, as far as it is by what is seen."""
        injected = course.injected
        if not course.beginning.done():
            return
        if course.struck_at is None and injected.has_struck():
            course.struck_at = seen.at if injected.is_over else course.began_at
        if course.healing is None and self._has_passed(course, seen):
            course.ending = course.ending or self._pool.submit(injected.end)
            if course.ending.done():
                _forgive_gone(course)
                course.healing = injected.healing(seen, self._hit() - {injected.target})
        elif course.healing is not None and not course.healing.healed(seen):
            course.waited_for = course.healing.waits_for(seen)
        elif course.healing is not None:
            course.healed_at = seen.at
            since = course.began_at if course.struck_at is None else course.struck_at
            self.tell(
                f"{seen.at - self._began_at:6.1f} s  {course.planned.number:4d}  healed after {seen.at - since:.1f} s"
            )

    def _has_passed(self, course: Course, seen: Snapshot) -> bool:
        is_over = course.injected.is_over
        return seen.at >= course.began_at + course.injected.lasts_s or (is_over is not None and is_over())

    def _come_to_rest(self) -> float | None:
        """Wait until all faults have healed and all invariants hold; None at the deadline."""
        began_at = time.monotonic()
        self.tell(f"all faults are made; waiting for quiet, {self.deadline_s:.0f} s at the most")
        quiet, ask_again_at, standing = 0, 0.0, list[Violation]()
        while (now := time.monotonic()) < began_at + self.deadline_s:
            if now >= ask_again_at and self.ledger.of(Fate.ASKED, Fate.REMOVING):
                self.load.finish()
                ask_again_at = now + ASK_AGAIN_S
            self._looked_deeply = 0.0
            seen = self._look()
            is_healed = not any(course.is_open for course in self._courses)
            standing = judge.at_rest(seen, self.ledger.entries())
            if is_healed and not standing:
                standing = self.unreached(seen)
            is_quiet = is_healed and not standing
            quiet = quiet + 1 if is_quiet else 0
            if quiet >= QUIET_LOOKS:
                return time.monotonic() - began_at
            self._pause(seen)
        at_s = time.monotonic() - self._began_at
        known = {violation for _, violation in self._violations}
        self._violations += [(at_s, violation) for violation in standing if violation not in known]
        for violation in standing:
            self.tell(f"VIOLATED {violation.invariant}: {violation.subject} {violation.what}")
        return None

    def _pause(self, seen: Snapshot) -> None:
        time.sleep(max(0.0, seen.at + LOOK_EVERY_S - time.monotonic()))


def _forgive_gone(course: Course) -> None:
    """A node that has been ended meanwhile can't be hit or mended any more. Raises everything else that failed."""
    for done in (course.beginning, course.ending):
        error = done.exception() if done is not None else None
        if error is not None and not isinstance(error, MachineError):
            raise error
        if error is not None:
            log.info("the node has gone: %s", error)
