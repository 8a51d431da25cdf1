"""Scaling decisions as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Decision = Mapping[str, Any]
STYLES = {"out": "green", "in": "magenta"}


def table(decisions: Iterable[Decision]) -> Table:
    """One row a decision."""
    made = _table("WHEN", "POOL", "DECISION", "WISH", "CAPPED BY", "ASKED BY", "REASON", "ID")
    for each in decisions:
        made.add_row(
            _when(each["at"]),
            Text(each["pool"]),
            _decided(each),
            str(each["wish"]),
            ", ".join(each["guards"]) or "-",
            Text(each["trigger"]),
            Text(each["reason"]),
            each["id"],
        )
    return made


def show(decision: Decision, console: Console) -> None:
    """All that was kept of a decision, then what it was made from."""
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    for name, value in _facts(decision):
        facts.add_row(name, value)
    console.print(facts)
    if decision["unplaceable"]:
        console.print(_unplaceable(decision))
    if decision["inputs"]:
        console.print(_inputs(decision["inputs"]))


def _facts(decision: Decision) -> Iterator[tuple[str, Text | str]]:
    yield "decision", decision["id"]
    yield "when", _when(decision["at"])
    yield "pool", Text(decision["pool"])
    yield "asked by", Text(decision["trigger"])
    yield "decided", _decided(decision)
    yield "wished", str(decision["wish"])
    yield "capped by", ", ".join(decision["guards"]) or "nothing"
    yield "because", Text(decision["reason"])
    for name, key in (("drained", "victims"), ("taken back", "reclaimed")):
        if decision[key]:
            yield name, " ".join(decision[key])
    if decision["recheck_at"] is not None:
        yield "asked again", _when(decision["recheck_at"])


def _decided(decision: Decision) -> Text:
    direction = decision["direction"]
    word = f"stays at {decision['desired']}" if direction == "none" else f"{direction} to {decision['desired']}"
    dry = " (dry run)" if decision["dry_run"] else ""
    return Text(word + dry, style=STYLES.get(direction, ""))


def _unplaceable(decision: Decision) -> Table:
    made = _table("NO NODE COULD HOLD", "BECAUSE", "DETAIL")
    for each in decision["unplaceable"]:
        made.add_row(Text(each["name"]), Text(each["reason"]), Text(each["detail"]))
    left = decision["unplaceable_count"] - len(decision["unplaceable"])
    if left > 0:
        made.add_row(f"and {left} more", "", "")
    return made


def _inputs(inputs: Mapping[str, Any]) -> Table:
    made = _table("SEEN", "VALUE")
    for name, value in _flat(inputs):
        made.add_row(Text(name), Text(value))
    return made


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of nested values by their paths, such as `cost.per_hour`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(one, Mapping) for one in value):
        for number, inner in enumerate(value, 1):
            yield from _flat(inner, f"{name}.{number}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield name, " ".join(map(str, value)) or "-"
    else:
        yield name, f"{value:g}" if isinstance(value, float) else str(value)


def _when(at: float) -> str:
    """In the reader's own time zone."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _table(*columns: str) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made
