"""Draws the demo's time series as one SVG picture, without anything from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from swarmkeeper.cli.demo.record import Sample, Step

WIDTH, HEIGHT = 960, 360
LEFT, RIGHT, TOP, BOTTOM = 44, 16, 28, 58
Line = tuple[str, str, Callable[[Sample], int]]
LINES: tuple[Line, ...] = (
    ("containers running", "#2b8a3e", lambda sample: sample.running),
    ("containers pending", "#e67700", lambda sample: sample.pending),
    ("workers desired", "#868e96", lambda sample: sample.desired),
    ("workers ready", "#1c7ed6", lambda sample: sample.ready),
    ("workers joining", "#9c36b5", lambda sample: sample.joining),
)
TICKS = 6


def plot(series: Sequence[Sample], steps: Sequence[Step]) -> str:
    """Nodes and containers over time as an SVG element; the steps are marked at their starts."""
    if not series:
        return "<p>No samples were taken.</p>"
    last = max(1.0, series[-1].t)
    top = max(1, *(read(sample) for _, _, read in LINES for sample in series))
    scale = _Scale(last, top)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="workers and containers over time">',
        *_axes(scale),
        *(_step_mark(scale, step) for step in steps if step.start <= last),
        *(_line(scale, series, colour, read) for _, colour, read in LINES),
        *(_legend(position, name, colour) for position, (name, colour, _) in enumerate(LINES)),
        "</svg>",
    ]
    return "\n".join(parts)


class _Scale:
    """Seconds and counts to the picture's coordinates."""

    def __init__(self, last: float, top: int) -> None:
        self.last = last
        self.top = top

    def x(self, t: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * t / self.last, 1)

    def y(self, count: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * count / self.top, 1)


def _axes(scale: _Scale) -> list[str]:
    parts = []
    for count in range(0, scale.top + 1, max(1, scale.top // TICKS)):
        y = scale.y(count)
        parts.append(f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{count}</text>')
    for tick in range(TICKS + 1):
        t = scale.last * tick / TICKS
        parts.append(f'<text x="{scale.x(t)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{t:.0f} s</text>')
    return parts


def _line(scale: _Scale, series: Sequence[Sample], colour: str, read: Callable[[Sample], int]) -> str:
    """A step line: a count holds until the next sample."""
    points: list[str] = []
    before: float | None = None
    for sample in series:
        x, y = scale.x(sample.t), scale.y(read(sample))
        if before is not None and before != y:
            points.append(f"{x},{before}")
        points.append(f"{x},{y}")
        before = y
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _step_mark(scale: _Scale, step: Step) -> str:
    x = scale.x(step.start)
    return (
        f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{HEIGHT - BOTTOM}" class="step">'
        f"<title>{escape(step.name)}: {step.seconds:.1f} s</title></line>"
    )


def _legend(position: int, name: str, colour: str) -> str:
    x, y = LEFT + position * 180, HEIGHT - 14
    return (
        f'<rect x="{x}" y="{y - 9}" width="12" height="10" fill="{colour}"/>'
        f'<text x="{x + 18}" y="{y}">{escape(name)}</text>'
    )
