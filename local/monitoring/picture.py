"""Draws what the dashboards' queries answer in the running local cloud: `python -m local.monitoring.picture FOLDER`.

Not Grafana, which can't be had here: the same queries, asked of the same InfluxDB, drawn as plain lines. The pictures
say so themselves.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from html import escape
from math import floor
from pathlib import Path
from typing import Any

from local import starter
from local.monitoring import panels
from local.monitoring.influxdb import Influx, Series
from swarmkeeper.simulation.report.svg import HEIGHT, WIDTH, Axis, Line, Point, axis_over, chart

COLOURS = ("#1971c2", "#e8590c", "#2f9e44", "#9c36b5", "#c92a2a", "#0b7285", "#5f3dc4", "#846358", "#495057", "#f08c00")
COLUMNS, HEAD = 2, 70
SHOWN_MINUTES = 15
GIB = 2**30
UNITS = {
    "bytes": (2**20, " MiB"),
    "Bps": (2**10, " KiB/s"),
    "percentunit": (0.01, " %"),
    "percent": (1, " %"),
    "s": (1, " s"),
}
NOTE = "Drawn by local.monitoring.picture from what the dashboard's queries answer. This is not Grafana."


def picture(influx: Influx, name: str, wanted: Mapping[str, str], now: float) -> str:
    """One dashboard as an SVG picture: a chart a panel, decisions as orange lines across."""
    dashboard = panels.dashboards()[name]
    values = panels.chosen(influx, dashboard, wanted)
    queries = list(panels.queries_of(name, dashboard))
    marks = [mark for query in queries[-1:] for mark in _marks(influx, query, values, now)]
    charts = []
    for panel in dashboard["panels"]:
        asked = [query for query in queries if query.panel == panel["title"]]
        drawn = [line for query in asked for line in _lines(influx, query, values, now)]
        charts.append(_chart(panel, drawn, marks))
    return _page(f"{dashboard['title']}: {', '.join(f'{key} {value}' for key, value in values.items())}", charts)


def _lines(
    influx: Influx, query: panels.Query, values: Mapping[str, str], now: float
) -> Iterator[tuple[str, list[Point]]]:
    for series in panels.answered(influx, query, values):
        points = [(_minutes(row[0], now), float(row[1])) for row in series.rows if isinstance(row[1], int | float)]
        yield _named(query.alias, series), points


def _marks(influx: Influx, query: panels.Query, values: Mapping[str, str], now: float) -> Iterator[float]:
    return (_minutes(row[0], now) for series in panels.answered(influx, query, values) for row in series.rows)


def _minutes(moment: object, now: float) -> float:
    return (datetime.fromisoformat(str(moment)).timestamp() - now) / 60


def _named(alias: str, series: Series) -> str:
    return re.sub(r"\$tag_(\w+)", lambda tag: series.tags.get(tag[1], ""), alias)[-16:] or "value"


def _chart(panel: Mapping[str, Any], drawn: list[tuple[str, list[Point]]], marks: list[float]) -> str:
    scale, unit = _unit(panel["fieldConfig"]["defaults"]["unit"], [value for _, points in drawn for _, value in points])
    scaled = [(name, [(at, value / scale) for at, value in points]) for name, points in drawn]
    across = Axis("minutes", min([floor(at) for _, points in drawn for at, _ in points], default=-SHOWN_MINUTES), 0)
    up = axis_over("", [value for _, points in scaled for _, value in points], low=0, unit=unit)
    lines = [
        Line(name, COLOURS[number % len(COLOURS)], points, marks=len(points) < 2)
        for number, (name, points) in enumerate(scaled[: len(COLOURS)])
    ]
    return chart(panel["title"], across, up, lines + _decided(up, marks))


def _unit(name: str, values: list[float]) -> tuple[float, str]:
    """What values are divided by, and what is written behind them."""
    if name == "bytes" and max(values, default=0) >= GIB:
        return GIB, " GiB"
    return UNITS.get(name, (1, ""))


def _decided(up: Axis, marks: list[float]) -> list[Line]:
    """One line that goes up and down at each decision, so that the legend names it once."""
    points = [point for at in sorted(marks) for point in ((at, up.low), (at, up.high), (at, up.low))]
    return [Line("a decision", "#f08c00", points, width=0.8)] if points else []


def _page(title: str, charts: list[str]) -> str:
    rows = -(-len(charts) // COLUMNS)
    width, height = COLUMNS * WIDTH, HEAD + rows * HEIGHT
    placed = [
        drawn.replace(
            "<svg ",
            f'<svg x="{number % COLUMNS * WIDTH}" y="{HEAD + number // COLUMNS * HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" ',
            1,
        )
        for number, drawn in enumerate(charts)
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
        f'<text x="20" y="30" font-size="22" font-weight="600" fill="#212529">{escape(title)}</text>'
        f'<text x="20" y="56" font-size="16" fill="#c92a2a">{escape(NOTE)}</text>'
    )
    return "\n".join([head, *placed, "</svg>"]) + "\n"


def main(folder: Path, wanted: Mapping[str, str]) -> int:
    """Draw every dashboard of the cloud that runs. The exit status is 1 when none does, or it isn't measured."""
    try:
        cloud = starter.running_cloud()
    except starter.LocalCloudError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if cloud is None or not cloud.influxdb_url:
        sys.stderr.write("no local cloud with monitoring runs: swarmkeeper local up --monitoring\n")
        return 1
    influx = Influx.at(cloud.influxdb_url)
    folder.mkdir(parents=True, exist_ok=True)
    for name in panels.dashboards():
        (folder / f"{name}.svg").write_text(picture(influx, name, wanted, time.time()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), dict(each.split("=", 1) for each in sys.argv[2:])))
