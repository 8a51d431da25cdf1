"""A decision as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

MOST = 20
"""Nodes of each kind that are shown unless all are wanted."""

T = TypeVar("T")


def show(decision: Mapping[str, Any], console: Console, *, most: int | None = MOST) -> None:
    """The decision in one line, then the nodes: candidates from the best on, then those that were refused, and why."""
    console.print(Text(str(decision["text"])))
    candidates: Sequence[Mapping[str, Any]] = decision["candidates"]
    refused: Mapping[str, Mapping[str, str]] = decision["refused"]
    if not candidates and not refused:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("NODE", "WEIGHT", "REFUSED BY", "BECAUSE"):
        table.add_column(column, overflow="fold")
    for candidate in _some(candidates, most):
        style = "green" if candidate["node"] == decision["chosen"] else None
        table.add_row(Text(candidate["node"]), str(candidate["weight"]), "", "", style=style)
    for node, refusal in _some(sorted(refused.items(), key=lambda each: (each[1]["reason"], each[0])), most):
        table.add_row(Text(node), "", refusal["reason"], Text(refusal["detail"]))
    console.print(table)
    left = 0 if most is None else max(0, len(candidates) - most) + max(0, len(refused) - most)
    if left:
        console.print(f"and {left} more nodes; --all shows them")


def _some(values: Sequence[T], most: int | None) -> list[T]:
    return list(islice(values, most))
