"""What the demo keeps: steps, checks, a time series and the events that passed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `start` is in seconds since the demo's start."""

    name: str
    start: float
    seconds: float
    ok: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold, and whether it did."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The fleet at one moment; `t` is in seconds since the demo's start."""

    t: float
    ready: int
    joining: int
    leaving: int
    desired: int
    running: int
    pending: int


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event that passed the bus; `t` is in seconds since the demo's start, negative before it."""

    t: float
    id: str
    source: str
    kind: str
    detail: Mapping[str, object]
    rules: tuple[str, ...] = ()


class Unmet(Exception):
    """Something that the demo waited for did not happen in time, or was refused."""


@dataclass(slots=True)
class Record:
    """Everything of one run; times count from its making."""

    started_at: float = field(default_factory=time.time)
    engines: str = ""
    steps: list[Step] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    series: list[Sample] = field(default_factory=list)
    chains: list[dict[str, object]] = field(default_factory=list)
    times: dict[str, float] = field(default_factory=dict)
    notes: dict[str, object] = field(default_factory=dict)
    current: str = ""

    def elapsed(self) -> float:
        return time.time() - self.started_at

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; one that raises is kept as failed and ends the demo."""
        start, self.current = self.elapsed(), name
        try:
            yield
        except BaseException as error:
            self.steps.append(Step(name, start, self.elapsed() - start, ok=False, detail=str(error)))
            raise
        self.steps.append(Step(name, start, self.elapsed() - start))

    def check(self, name: str, ok: bool, detail: str = "") -> bool:
        """Keep a check's result and return it."""
        self.checks.append(Check(name, ok, detail))
        return ok

    @property
    def ok(self) -> bool:
        """Whether every step ended and every check held."""
        return bool(self.checks) and all(one.ok for one in self.checks) and all(one.ok for one in self.steps)

    def to_json(self) -> dict[str, object]:
        """The report, as plain values; seconds to the millisecond."""
        return {
            "ok": self.ok,
            "engines": self.engines,
            "started_at": round(self.started_at, 3),
            "seconds": round(sum(step.seconds for step in self.steps), 3),
            "steps": [_rounded(asdict(step)) for step in self.steps],
            "times": _rounded(dict(self.times)),
            "checks": [asdict(check) for check in self.checks],
            "chains": self.chains,
            "series": [_rounded(asdict(sample)) for sample in self.series],
            **self.notes,
        }


def _rounded(values: dict[str, object] | dict[str, float]) -> dict[str, object]:
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in values.items()}
