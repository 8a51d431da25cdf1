"""What a run has found, as a plain value and as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from statistics import median
from typing import Any

from local.chaos import judge
from local.chaos.ledger import Fate
from local.chaos.run import Course, Outcome

Report = dict[str, Any]


def report_of(outcome: Outcome, *, seed: int, engines: str, mean_gap_s: float, left_out: Mapping[str, str]) -> Report:
    """JSON's values; times in seconds from the beginning of the faults."""
    asked, last = outcome.ledger.entries(), outcome.last
    faults = [_fault(course, outcome.began_at) for course in outcome.courses]
    unsure = outcome.ledger.of(Fate.ASKED, Fate.REMOVING)
    lost = {one.subject for one in judge.at_rest(last, asked) if one.invariant in ("I3", "I5")}
    return {
        "seed": seed,
        "engines": engines,
        "mean_gap_s": mean_gap_s,
        "faults": faults,
        "not_injected": [{"kind": str(one.kind), "number": one.number} for one in outcome.skipped],
        "left_out": dict(left_out),
        "violations": [{"at_s": _rounded(at_s), **asdict(violation)} for at_s, violation in outcome.violations],
        "containers_lost": sorted(lost - set(unsure)),
        "leaked_reservations": [one.what for one in judge.leaked(last)],
        "ghosts": [f"{one.subject} {one.what}" for one in judge.ghosts(last)],
        "requests": outcome.ledger.counts(),
        "unsure": unsure,
        "containers_at_the_end": len(last.containers),
        "quiet_after_s": _rounded(outcome.quiet_after_s),
        "kinds": kinds(faults),
    }


def holds(report: Report) -> bool:
    """Whether no invariant was broken, every fault was made and has healed, and quiet came in time."""
    faults = report["faults"]
    return (
        not report["violations"]
        and report["quiet_after_s"] is not None
        and all(fault["healed_s"] is not None for fault in faults)
    )


def kinds(faults: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float | int | None]]:
    """How many of each kind there were, and the median and the worst time to heal of those that struck."""
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for fault in faults:
        by_kind.setdefault(fault["kind"], []).append(fault)
    return {kind: _figures(by_kind[kind]) for kind in sorted(by_kind)}


def _figures(faults: list[Mapping[str, Any]]) -> dict[str, float | int | None]:
    times = [fault["healed_s"] for fault in faults if fault["struck"] and fault["healed_s"] is not None]
    return {
        "faults": len(faults),
        "struck": sum(bool(fault["struck"]) for fault in faults),
        "median_s": _rounded(median(times)) if times else None,
        "worst_s": _rounded(max(times)) if times else None,
    }


def _fault(course: Course, began_at: float) -> dict[str, Any]:
    since = course.began_at if course.struck_at is None else course.struck_at
    healed_s = None if course.healed_at is None else course.healed_at - since
    return {
        "kind": str(course.planned.kind),
        "number": course.planned.number,
        "target": course.injected.target,
        "at_s": _rounded(since - began_at),
        "lasts_s": _rounded(course.injected.lasts_s) if course.injected.is_over is None else 0.0,
        "struck": course.struck_at is not None,
        "healed_s": _rounded(healed_s),
        "waited_for": list(course.waited_for),
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)
