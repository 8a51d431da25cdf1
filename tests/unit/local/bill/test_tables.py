"""docs/cost.md shows what the script makes of the counts, and the script's sums are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.bill.model import HOURS, MINUTES, Fleet, alarms, bill, bills, monthly, total
from local.bill.prices import PRICES, Price
from local.bill.tables import tables

DOCS = Path(__file__).parents[4] / "docs"
SMALL = "manager, small"


def measured(**phases: dict[str, float]) -> dict[str, Any]:
    """Two fleets that do nothing but what is given, by phases with `_` for spaces."""
    empty: dict[str, Any] = {
        "workers": {"few": 2, "many": 12, "containers of each of many": 10},
        "metrics": {"fleet": 3, "pools": 2},
        "items": {"greatest bytes": 1000},
    }
    names = ("minute of few", "minute of many", "container created", "container removed", "node joined", "node left")
    return empty | {name: phases.get(name.replace(" ", "_"), {}) for name in names}


def test_the_page_shows_what_the_script_prints() -> None:
    counts = json.loads((DOCS / "cost" / "counts.json").read_text(encoding="utf-8"))
    page = (DOCS / "cost.md").read_text(encoding="utf-8")
    for table in tables(counts).split("\n\n"):
        assert table in page


@pytest.mark.parametrize(
    ("workers", "minute"),
    [
        pytest.param(2, 10.0, id="as the few"),
        pytest.param(12, 30.0, id="as the many"),
        pytest.param(102, 210.0, id="on the line through both"),
    ],
)
def test_a_minutes_work_grows_with_the_nodes(workers: int, minute: float) -> None:
    found = monthly(
        measured(minute_of_few={"read units": 10.0}, minute_of_many={"read units": 30.0}), Fleet(workers, SMALL)
    )
    assert found["read units"] == pytest.approx(minute * MINUTES)


def test_what_falls_by_chance_from_the_few_to_the_many_does_not_fall_below_nothing() -> None:
    counted = measured(minute_of_few={"events": 2.0}, minute_of_many={"events": 1.0})
    assert monthly(counted, Fleet(1000, SMALL))["events"] == pytest.approx(2.0 * MINUTES)


def test_each_container_and_node_comes_and_goes_once_a_day() -> None:
    counted = measured(
        container_created={"events": 1.0}, container_removed={"events": 2.0}, node_joined={"events": 5.0}
    )
    assert monthly(counted, Fleet(10, SMALL))["events"] == pytest.approx(30.4 * (100 * (1 + 2) + 10 * 5))


def test_functions_are_paid_by_runs_and_by_the_time_they_hold_their_memory() -> None:
    one = measured(minute_of_few={"runs of scaler": 1.0, "ms of scaler": 2000.0})
    expected = MINUTES * (0.20 / 1e6 + 2 * 0.5 * 0.0000133334)
    assert bill(one, Fleet(2, SMALL))["functions"] == pytest.approx(expected)


def test_what_stands_there_is_paid_by_the_hour() -> None:
    lines = bill(measured(), Fleet(10, SMALL))
    assert lines["Swarm managers"] == pytest.approx(3 * (HOURS * 0.0208 + 50 * 0.08))
    assert lines["NAT gateways, their addresses"] == pytest.approx(2 * HOURS * (0.045 + 0.005))


def test_nothing_costs_less_for_more_nodes() -> None:
    counts = json.loads((DOCS / "cost" / "counts.json").read_text(encoding="utf-8"))
    made = bills(counts)
    assert [total(lines) for lines in made] == sorted(total(lines) for lines in made)
    for name in made[0]:
        assert made[0][name] <= made[1][name] <= made[2][name]


def test_a_price_is_for_an_amount() -> None:
    assert Price(0.2, 1e6, "runs").of(5e6) == pytest.approx(1.0)
    assert all(price.usd > 0 and price.amount >= 1 for price in PRICES.values())


def test_alarms_are_counted_by_pools() -> None:
    assert alarms(worker_pools=1, pools=2) == 12
