"""The tables of docs/cost.md.

python -m local.bill.tables docs/cost/counts.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from local.bill.model import FLEETS, FUNCTIONS, bills, total
from local.bill.prices import PRICES

PHASES = ("minute of few", "minute of many", "container created", "container removed", "node joined", "node left")


def tables(measured: Mapping[str, Any]) -> str:
    """The bill, what was counted, and the prices, in Markdown."""
    return "\n".join((*_bill(measured), "", *_counted(measured), "", *_prices()))


def _bill(measured: Mapping[str, Any]) -> Iterable[str]:
    made = bills(measured)
    yield from _head(["US dollars a month", *(f"{fleet.workers:,} nodes" for fleet in FLEETS)])
    for name in made[0]:
        yield _row([name, *(f"{lines[name]:,.2f}" for lines in made)])
    yield _row(["**all**", *(f"**{total(lines):,.0f}**" for lines in made)])
    each = [total(lines) / fleet.workers for lines, fleet in zip(made, FLEETS, strict=True)]
    yield _row(["for each node", *(f"{cost:,.2f}" for cost in each)])


def _counted(measured: Mapping[str, Any]) -> Iterable[str]:
    few, many = measured["workers"]["few"], measured["workers"]["many"]
    heads = [f"a minute, {few} nodes", f"a minute, {many} nodes", *PHASES[2:]]
    yield from _head(["counted", *heads])
    for name in FUNCTIONS:
        yield _row([f"runs of {name}", *_figures(measured, f"runs of {name}")])
    for name in FUNCTIONS:
        yield _row([f"ms of {name}", *_figures(measured, f"ms of {name}")])
    for name in ("read units", "write units", "events", "gateway bytes", "log bytes"):
        yield _row([name, *_figures(measured, name)])


def _figures(measured: Mapping[str, Any], name: str) -> Sequence[str]:
    return [
        f"{measured[phase].get(name, 0):,.4g}"
        if measured[phase].get(name, 0) < 1000
        else f"{measured[phase][name]:,.0f}"
        for phase in PHASES
    ]


def _prices() -> Iterable[str]:
    yield from _head(["US dollars", "for"])
    for price in PRICES.values():
        yield _row([f"{price.usd:.10f}".rstrip("0"), f"{price.amount:,.0f} {price.unit}"])


def _head(heads: Sequence[str]) -> Iterable[str]:
    yield _row(heads)
    yield "|" + "---|" * len(heads)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(path: Path) -> None:
    """Print the tables of a measurement."""
    print(tables(json.loads(path.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
