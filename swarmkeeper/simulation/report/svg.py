"""Draws charts as SVG pictures that need nothing from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 960, 380
LEFT, RIGHT, TOP, BOTTOM = 60, 170, 40, 46
TICKS = 6
STEPS = (1, 2, 2.5, 5, 10)
LABEL_GAP, LABEL_WIDTH = 13, 100
"""What a label takes, in the picture's units."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A named series of points in their order; `marks` draws the points too, `area` fills down to the axis."""

    name: str
    colour: str
    points: Sequence[Point]
    width: float = 1.6
    marks: bool = False
    area: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """One named point."""

    name: str
    colour: str
    at: Point


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows, from `low` to `high`; ticks are written with `unit` behind them."""

    label: str
    low: float
    high: float
    unit: str = ""


def axis_over(label: str, values: Iterable[float], *, low: float | None = None, unit: str = "") -> Axis:
    """An axis that shows all the values, between round numbers; from `low` on where that is given."""
    found = list(values) or [0.0]
    least, most = min(found) if low is None else low, max(found)
    step = _step((most - least) or 1.0)
    return Axis(label, floor(least / step) * step, max(ceil(most / step), floor(least / step) + 1) * step, unit)


def chart(title: str, x: Axis, y: Axis, lines: Sequence[Line] = (), dots: Sequence[Dot] = ()) -> str:
    """A chart as one SVG element; lines are named in a legend, dots beside themselves."""
    frame = _Frame(x, y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' font-family="system-ui, sans-serif" font-size="12" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="600" fill="#212529">{escape(title)}</text>',
        *frame.grid(),
        *(part for line in lines for part in frame.line(line)),
        *frame.dots(dots),
        *(_legend(position, line) for position, line in enumerate(lines)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Frame:
    """Values to the picture's coordinates."""

    def __init__(self, x: Axis, y: Axis) -> None:
        self._x = x
        self._y = y

    def at(self, point: Point) -> Point:
        """Where a point is drawn."""
        x, y = self._x, self._y
        across = (point[0] - x.low) / (x.high - x.low)
        up = (point[1] - y.low) / (y.high - y.low)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * across, 1), round(
            HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * up, 1
        )

    def grid(self) -> list[str]:
        """Ticks and names of both axes."""
        parts = []
        for value in _ticks(self._y):
            _, at = self.at((self._x.low, value))
            parts.append(f'<line x1="{LEFT}" y1="{at}" x2="{WIDTH - RIGHT}" y2="{at}" stroke="#dee2e6"/>')
            parts.append(_text(LEFT - 8, at + 4, _number(value) + self._y.unit, "end"))
        for value in _ticks(self._x):
            at, _ = self.at((value, self._y.low))
            parts.append(
                f'<line x1="{at}" y1="{HEIGHT - BOTTOM}" x2="{at}" y2="{HEIGHT - BOTTOM + 4}" stroke="#868e96"/>'
            )
            parts.append(_text(at, HEIGHT - BOTTOM + 18, _number(value) + self._x.unit, "middle"))
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(_text(middle, HEIGHT - 8, self._x.label, "middle"))
        parts.append(_text(LEFT, TOP - 6, self._y.label, "start"))
        return parts

    def line(self, line: Line) -> list[str]:
        """The line, with what is under it or on it."""
        if not line.points:
            return []
        points = [self.at(point) for point in line.points]
        text = " ".join(f"{x},{y}" for x, y in points)
        parts = []
        if line.area:
            base = HEIGHT - BOTTOM
            around = f"{points[0][0]},{base} {text} {points[-1][0]},{base}"
            parts.append(f'<polygon points="{around}" fill="{line.colour}" fill-opacity="0.15"/>')
        parts.append(f'<polyline points="{text}" fill="none" stroke="{line.colour}" stroke-width="{line.width}"/>')
        if line.marks:
            parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{line.colour}"/>' for x, y in points]
        return parts

    def dots(self, dots: Sequence[Dot]) -> list[str]:
        """Each with its name on its right, moved up where names would touch."""
        parts: list[str] = []
        taken: list[Point] = []
        for dot in sorted(dots, key=lambda each: self.at(each.at)[1], reverse=True):
            x, y = self.at(dot.at)
            label_y = y + 4
            while any(abs(label_y - other) < LABEL_GAP and abs(x - at) < LABEL_WIDTH for at, other in taken):
                label_y -= LABEL_GAP
            taken.append((x, label_y))
            parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{dot.colour}"/>')
            parts.append(_text(x + 9, label_y, dot.name, "start"))
        return parts


def _legend(position: int, line: Line) -> str:
    x, y = WIDTH - RIGHT + 16, TOP + 10 + position * 20
    return f'<rect x="{x}" y="{y - 9}" width="14" height="9" fill="{line.colour}"/>' + _text(
        x + 20, y, line.name, "start"
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="#495057">{escape(text)}</text>'


def _ticks(axis: Axis) -> list[float]:
    step = _step(axis.high - axis.low)
    first = ceil(axis.low / step - 1e-9)
    return [number * step for number in range(first, floor(axis.high / step + 1e-9) + 1)]


def _step(span: float) -> float:
    """A round distance that gives some six ticks."""
    rough = span / TICKS
    power = 10.0 ** floor(log10(rough))
    return next(each * power for each in STEPS if each * power >= rough * 0.999)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value - round(value)) < 1e-9 else f"{value:.3f}".rstrip("0")
