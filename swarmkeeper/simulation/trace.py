"""Demand traces: CSV files of arrivals, one row each, read whole and checked row by row.

Columns: `arrival_s` (beginning of the bin of `BIN_S` seconds that it came in), `tenant_batch` (what one tenant started
together), `vcpu`, `mem_gb` (GiB), `lifetime_min_s` and `lifetime_max_s` (the first and the last bin that the lifetime
may have fallen in), `censored` (1: it still ran when the trace ended).
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Resources
from swarmkeeper.errors import InvalidInput

BIN_S = 300
GIB = 2**30
COLUMNS = ("arrival_s", "tenant_batch", "vcpu", "mem_gb", "lifetime_min_s", "lifetime_max_s", "censored")
LARGEST = 1e12
"""More than any second, CPU or gigabyte that a trace means; not-a-number compares with nothing and is refused too."""


class TraceError(InvalidInput):
    """A trace is refused: `file:line: field: what is wrong`."""

    def __init__(self, file: str, line: int, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.place = f"{file}:{line}"

    def __str__(self) -> str:
        return f"{self.place}: {self.field}: {self.problem}"


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One arrival, with its times as the bins that they fell in; `arrival_s` counts from the trace's first bin."""

    arrival_s: float
    batch: str
    reservation: Resources
    lifetime_min_s: float
    lifetime_max_s: float
    censored: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """All arrivals of a file in the order of their bins; `length_s` reaches to the end of the last bin."""

    name: str
    rows: tuple[TraceRow, ...]
    length_s: float


def read_trace(path: Path) -> Trace:
    """Read a trace, compressed where its name ends in `.gz`. Raises TraceError for the first thing that is wrong."""
    try:
        with _opened(path) as file:
            rows = sorted(_rows(file, path.name), key=lambda row: row.arrival_s)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TraceError(path.name, 1, "(file)", f"can't be read: {error}") from error
    except csv.Error as error:
        raise TraceError(path.name, 1, "(file)", f"is not CSV: {error}") from error
    if not rows:
        raise TraceError(path.name, 1, "(file)", "has no arrivals")
    first = rows[0].arrival_s
    shifted = tuple(_shifted(row, first) for row in rows)
    return Trace(path.name, shifted, shifted[-1].arrival_s + BIN_S)


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _rows(file: TextIO, name: str) -> Iterator[TraceRow]:
    reader = csv.DictReader(file)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise TraceError(name, 1, missing[0], "is missing from the heading")
    known: dict[tuple[float, float], Resources] = {}
    for values in reader:
        yield _row(values, name, reader.line_num, known)


def _row(values: Mapping[str, str], name: str, line: int, known: dict[tuple[float, float], Resources]) -> TraceRow:
    read = _Fields(values, name, line)
    size = (read.number("vcpu", above=0), read.number("mem_gb", above=0))
    reservation = known.setdefault(size, Resources(round(size[0] * NANO_CPUS_PER_CPU), round(size[1] * GIB)))
    shortest, longest = read.number("lifetime_min_s"), read.number("lifetime_max_s")
    if longest < shortest:
        raise TraceError(name, line, "lifetime_max_s", f"{longest:g} is below lifetime_min_s, {shortest:g}")
    censored = read.text("censored")
    if censored not in ("0", "1"):
        raise TraceError(name, line, "censored", f"{censored!r} is neither 0 nor 1")
    batch = read.text("tenant_batch")
    return TraceRow(read.number("arrival_s"), batch, reservation, shortest, longest, censored == "1")


class _Fields:
    """The fields of one line, each checked as it is read."""

    def __init__(self, values: Mapping[str, str], name: str, line: int) -> None:
        self._values = values
        self._name = name
        self._line = line

    def text(self, field: str) -> str:
        """A field that must be there."""
        value: str | None = self._values[field]
        if not value:
            raise TraceError(self._name, self._line, field, "is missing")
        return value

    def number(self, field: str, *, above: float = -1e-9) -> float:
        """A field as a finite number above a bound."""
        text = self.text(field)
        try:
            value = float(text)
        except ValueError:
            raise TraceError(self._name, self._line, field, f"{text!r} is not a number") from None
        if not above < value < LARGEST:
            raise TraceError(self._name, self._line, field, f"{text!r} is not {_wanted(above)}")
        return value


def _wanted(above: float) -> str:
    return "a number of at least 0" if above < 0 else f"a number above {above:g}"


def _shifted(row: TraceRow, first: float) -> TraceRow:
    start = row.arrival_s - first
    return TraceRow(start, row.batch, row.reservation, row.lifetime_min_s, row.lifetime_max_s, row.censored)
