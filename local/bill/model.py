"""From what was counted to a month's bill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.bill.prices import PRICES

HOURS, MINUTES, DAYS = 730.0, 43_800.0, 30.4
"""Of a month."""
GB = 1e9
MEMORY_GB = 0.5
"""Of each function; tests hold it against the template."""
DISK_GB = 50
MANAGERS, ZONES, SECRETS = 3, 2, 4
POLLS = 2 * 15
"""Requests a minute by which Lambda asks two queues for messages: five pollers each, that wait 20 s."""
FUNCTIONS = ("placement", "scaler", "registrar", "reconciler")
Counts = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet whose bill is asked for: each container and each worker comes and goes once a day."""

    workers: int
    manager: str

    def containers(self, measured: Mapping[str, Any]) -> int:
        """As many for each worker as where it was measured."""
        return self.workers * int(measured["workers"]["containers of each of many"])


FLEETS = (Fleet(10, "manager, small"), Fleet(100, "manager, medium"), Fleet(1000, "manager, large"))


def alarms(worker_pools: int, pools: int) -> int:
    """With networks for tenants.

    Pending, silent, refused losses, four dead-letter queues, the locator; two for each pool of workers, one for each
    pool.
    """
    return 8 + 2 * worker_pools + pools


def monthly(measured: Mapping[str, Any], fleet: Fleet) -> Counter[str]:
    """All that is counted, in a month: the minutes' own work, and what comes and goes."""
    few, many = measured["minute of few"], measured["minute of many"]
    at, to = measured["workers"]["few"], measured["workers"]["many"]
    containers = fleet.containers(measured) * DAYS
    turns = {
        "container created": containers,
        "container removed": containers,
        "node joined": fleet.workers * DAYS,
        "node left": fleet.workers * DAYS,
    }
    share = (fleet.workers - at) / (to - at)
    month: Counter[str] = Counter({name: MINUTES * _along(few, many, name, share) for name in {*few, *many}})
    for turn, number in turns.items():
        month.update({name: count * number for name, count in measured[turn].items()})
    return month


def _along(few: Counts, many: Counts, name: str, share: float) -> float:
    """On the line through the two fleets that were watched; what fell from one to the other is left as it was."""
    low, high = few.get(name, 0.0), many.get(name, 0.0)
    return low + max(0.0, high - low) * share


def bill(measured: Mapping[str, Any], fleet: Fleet) -> dict[str, float]:
    """US dollars a month by what they are paid for."""
    month = monthly(measured, fleet)
    items = fleet.workers + fleet.containers(measured)
    return {
        "Swarm managers": MANAGERS * (_price(fleet.manager, HOURS) + _price("disk", DISK_GB)),
        "NAT gateways, their addresses": ZONES * (_price("gateway", HOURS) + _price("address", HOURS)),
        "what functions send through them": _price("gateway GB", month["gateway bytes"] / GB),
        "load balancer, one unit": _price("balancer", HOURS) + _price("balancer unit", HOURS),
        "load balancer of the locator, one unit": _price("balancer", HOURS) + _price("balancer unit", HOURS),
        "functions": _functions(month),
        "DynamoDB": _price("read unit", month["read units"])
        + _price("write unit", month["write units"])
        + _price("table GB", items * measured["items"]["greatest bytes"] / GB),
        "metrics, alarms, dashboard": _watching(measured, month),
        "logs": _price("log GB", month["log bytes"] / GB),
        "events, queues": _price("event", month["events"]) + _price("queue request", _queued(month)),
        "secrets": _price("secret", SECRETS) + _price("secret read", _calls(month, "secretsmanager")),
        "HTTP API": _price("API request", 2 * fleet.containers(measured) * DAYS),
    }


def _functions(month: Counts) -> float:
    runs = sum(month.get(f"runs of {name}", 0.0) for name in FUNCTIONS)
    seconds = sum(month.get(f"ms of {name}", 0.0) for name in FUNCTIONS) / 1000
    return _price("run", runs) + _price("GB-second", seconds * MEMORY_GB)


def _watching(measured: Mapping[str, Any], month: Counts) -> float:
    metrics = measured["metrics"]["fleet"] + measured["metrics"]["pools"]
    return (
        _price("metric", metrics)
        + _price("metric read", month.get("metrics read", 0.0) + _calls(month, "monitoring"))
        + _price("alarm", alarms(1, 2))
        + _price("dashboard", 1)
    )


def _queued(month: Counts) -> float:
    """Lambda's polling; each of the registrar's runs is a message that was sent, taken and deleted."""
    return POLLS * MINUTES + 3 * month.get("runs of registrar", 0.0) + _calls(month, "sqs")


def _calls(month: Counts, service: str) -> float:
    return sum(count for name, count in month.items() if name.startswith(f"{service}:"))


def _price(name: str, count: float) -> float:
    return PRICES[name].of(count)


def total(lines: Mapping[str, float]) -> float:
    """The month's sum."""
    return sum(lines.values())


def bills(measured: Mapping[str, Any]) -> Sequence[Mapping[str, float]]:
    """Of the three fleets."""
    return [bill(measured, fleet) for fleet in FLEETS]
