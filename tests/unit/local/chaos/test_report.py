"""What a run reports, and when it is called good."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

from local.chaos.faults.kinds import Injected, nothing
from local.chaos.healing import WorkDone
from local.chaos.judge import Violation
from local.chaos.ledger import Fate, Ledger
from local.chaos.plan import Kind, draw
from local.chaos.report import Report, holds, report_of
from local.chaos.run import Course, Outcome
from tests.unit.local.chaos.snapshots import at_rest, without_container


def a_course(number: int, *, began_at: float, struck_at: float | None, healed_at: float | None) -> Course:
    planned = draw(1, 1, mean_gap_s=8, kinds=[Kind.FUNCTION_KILLED])[0]
    injected = Injected("f", nothing, WorkDone, lasts_s=9.0, is_over=lambda: True)
    done = Future[None]()
    done.set_result(None)
    course = Course(replace(planned, number=number), injected, at_rest(), began_at, done)
    course.struck_at, course.healed_at = struck_at, healed_at
    return course


def an_outcome(*courses: Course, quiet_after_s: float | None = 5.0) -> Outcome:
    ledger = Ledger()
    for name in "abcd":
        ledger.ask(name, movable=True)
        ledger.note(name, Fate.ACCEPTED)
    return Outcome(100.0, courses, (), (), at_rest(), ledger, quiet_after_s)


def reported(outcome: Outcome) -> Report:
    return report_of(outcome, seed=1, engines="simulated", mean_gap_s=8.0, left_out={})


def test_a_fault_is_told_with_when_it_struck_and_how_long_it_took_to_heal() -> None:
    courses = (
        a_course(1, began_at=101.0, struck_at=103.0, healed_at=110.0),
        a_course(2, began_at=104.0, struck_at=105.0, healed_at=108.0),
        a_course(3, began_at=106.0, struck_at=None, healed_at=115.0),
    )
    report = reported(an_outcome(*courses))
    told = [(each["number"], each["at_s"], each["healed_s"], each["struck"]) for each in report["faults"]]
    assert told == [(1, 3.0, 7.0, True), (2, 5.0, 3.0, True), (3, 6.0, 9.0, False)]
    figures = {"faults": 3, "struck": 2, "median_s": 5.0, "worst_s": 7.0}
    assert report["kinds"] == {"function-killed": figures}
    assert holds(report)


def test_a_run_is_not_good_with_a_violation_a_fault_that_stays_or_without_quiet() -> None:
    healed = a_course(1, began_at=101.0, struck_at=103.0, healed_at=110.0)
    good = an_outcome(healed)
    assert holds(reported(good))
    assert not holds(reported(replace(good, violations=((1.0, Violation("I1", "i-1", "is overfull")),))))
    assert not holds(reported(an_outcome(a_course(1, began_at=101.0, struck_at=103.0, healed_at=None))))
    assert not holds(reported(an_outcome(healed, quiet_after_s=None)))


def test_containers_that_are_lost_at_the_end_are_named() -> None:
    outcome = replace(an_outcome(), last=without_container(at_rest(), "d"))
    assert reported(outcome)["containers_lost"] == ["d"]


def test_one_to_whose_removal_nothing_certain_was_said_is_unsure_and_not_lost() -> None:
    outcome = an_outcome()
    outcome.ledger.note("d", Fate.REMOVING)
    report = reported(replace(outcome, last=without_container(at_rest(), "d")))
    assert (report["unsure"], report["containers_lost"]) == (["d"], [])
