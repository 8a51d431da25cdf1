"""Writes the demo's report: report.json for programs, report.html for people, readable offline."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from rich.table import Table

from swarmkeeper.cli.demo.plot import plot
from swarmkeeper.cli.demo.record import Record

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #212529; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } code { font-size: .9em; word-break: break-all; }
.ok { color: #2b8a3e; } .bad { color: #c92a2a; font-weight: 600; }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; } .grid { stroke: #dee2e6; }
.step { stroke: #ced4da; stroke-dasharray: 3 3; }
pre { background: #f1f3f5; padding: .8rem; overflow-x: auto; font-size: .85em; }
"""


def write_reports(record: Record, folder: Path) -> None:
    """Write both files into the folder, which is made when it isn't there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(record.to_json(), indent=2) + "\n")
    (folder / "report.html").write_text(to_html(record))


def to_html(record: Record) -> str:
    """The whole report as one page without anything from outside."""
    verdict = "every check held" if record.ok else "something did not hold"
    steps = [(step.name, f"{step.start:.1f}", f"{step.seconds:.1f}", step.detail) for step in record.steps]
    times = [(name.replace("_", " "), f"{seconds:.1f}") for name, seconds in record.times.items()]
    return "\n".join(
        (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Swarmkeeper demo</title>',
            f"<style>{STYLE}</style><h1>Swarmkeeper demo</h1>",
            f'<p class="{"ok" if record.ok else "bad"}">{escape(record.engines)} engines: {verdict}.</p>',
            plot(record.series, record.steps),
            "<h2>Times</h2>",
            _table(("from the cause to the effect", "seconds"), times),
            "<h2>Steps</h2>",
            _table(("step", "start", "seconds", ""), steps),
            "<h2>Checks</h2>",
            _checks(record),
            "<h2>Chains of events</h2>",
            *(_chain(chain) for chain in record.chains),
            "<h2>Profile</h2>",
            f"<pre>{escape(str(record.notes.get('profile', '')))}</pre></html>",
        )
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(_cell(text) for text in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(text: str) -> str:
    number = text.replace(".", "", 1).isdigit()
    return f"<td{' class=number' if number else ''}>{escape(text)}</td>"


def _checks(record: Record) -> str:
    rows = "".join(
        f'<tr><td class="{"ok" if check.ok else "bad"}">{"holds" if check.ok else "FAILED"}</td>'
        f"<td>{escape(check.name)}</td><td>{escape(check.detail)}</td></tr>"
        for check in record.checks
    )
    return f"<table>{rows}</table>"


def _chain(chain: Mapping[str, object]) -> str:
    rows = [
        (name, f"{link['t']}" if "t" in link else "", _ids(link))
        for name, link in chain.items()
        if isinstance(link, Mapping)
    ]
    body = "".join(
        f"<tr><td>{escape(name)}</td><td class=number>{t}</td><td><code>{ids}</code></td></tr>" for name, t, ids in rows
    )
    return f"<h3>{escape(str(chain.get('kind', '')))} {escape(str(chain['node']))}</h3><table>{body}</table>"


def _ids(link: Mapping[str, object]) -> str:
    return escape(", ".join(f"{key} {value}" for key, value in link.items() if key != "t"))


def summary(record: Record) -> Table:
    """The steps with their seconds, for the terminal."""
    table = Table("step", "seconds", title="Steps", title_justify="left")
    table.columns[1].justify = "right"
    for step in record.steps:
        table.add_row(step.name if step.ok else f"[red]{step.name}[/red]", f"{step.seconds:.1f}")
    for name, seconds in record.times.items():
        table.add_row(f"[dim]{name.replace('_', ' ')}[/dim]", f"[dim]{seconds:.1f}[/dim]")
    return table
