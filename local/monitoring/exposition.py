"""What cAdvisor tells at /metrics, as points: as Telegraf's `inputs.prometheus` with `metric_version = 2` has them.

One point holds all samples that have the same labels and time; its fields are the metrics' names.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from local.monitoring.points import Point

_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: (-?\d+))?")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?')
_ESCAPES = {r"\n": "\n", r"\"": '"', r"\\": "\\"}
NS_PER_MS = 1_000_000
Key = tuple[tuple[tuple[str, str], ...], int]


def points_in(text: str, measurement: str, tags: Mapping[str, str], now_ns: int) -> Iterator[Point]:
    """The points of an answer; `tags` are every point's. Raises ValueError for a line that is none of the format."""
    found: dict[Key, dict[str, float]] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        name, labels, value, time_ns = _sample(line, now_ns)
        if math.isfinite(value):
            found.setdefault((tuple(sorted(labels.items())), time_ns), {})[name] = value
    for (labelled, time_ns), fields in found.items():
        yield Point(measurement, {**dict(labelled), **tags}, fields, time_ns)


def _sample(line: str, now_ns: int) -> tuple[str, dict[str, str], float, int]:
    matched = _SAMPLE.fullmatch(line)
    if matched is None:
        raise ValueError(f"no sample of the exposition format: {line[:200]}")
    name, labels, value, time_ms = matched.groups()
    time_ns = now_ns if time_ms is None else int(time_ms) * NS_PER_MS
    return name, {key: _plain(text) for key, text in _LABEL.findall(labels or "")}, float(value), time_ns


def _plain(text: str) -> str:
    return re.sub(r'\\[n"\\]', lambda escape: _ESCAPES[escape[0]], text)
