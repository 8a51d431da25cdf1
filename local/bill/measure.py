"""Measures what the control plane does in a minute, for a container, and for a node, on a local cloud of its own.

    python -m local.bill.measure docs/cost/counts.json

Simulated engines, so that it runs anywhere; what is counted is the product's: its functions' runs and their requests.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from local import engines as engine_choice
from local.aws.emf import datums_in
from local.bill.meter import Counts, Meter
from local.cloud import LocalCloud, Options
from local.starter import project_root
from swarmkeeper.cli.fleet import Fleet, Invoker
from swarmkeeper.cli.requests import create_body

WORKERS = 12
EACH = 10
"""Containers a worker."""
QUIET_S, FULL_S = 240.0, 300.0
"""How long the small fleet and the full one are watched at rest. Each engine is compared with the table once in ten
minutes, the engines by turns."""
LIMIT_S = 900.0
PAUSE_S = 1.0
CHANGES = (
    ("max: 4", f"max: {WORKERS}"),
    ('containerslots: "4"', f'containerslots: "{EACH}"'),
    ("alarm_period: 10s", "alarm_period: 60s"),
    ("capacity_events: false", "capacity_events: true"),
    ("max_removals: {nodes: 1, window: 30s}", f"max_removals: {{nodes: {WORKERS}, window: 30s}}"),
)
"""Of the shipped profile: nodes as they would be, and scaling's clocks as they are by default."""
RUN = re.compile(r"^REPORT RequestId: \S+\s+Duration: ([0-9.]+) ms", re.MULTILINE)


class Bench:
    """A cloud with a meter before its APIs."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._fleet = Fleet(cloud.settings.fleet, cast(Invoker, cloud.server.client("lambda")))
        self._group = f"{cloud.settings.fleet}-workers"
        self._meter = Meter()
        cloud.server.obstacles.watch(self._meter.before)

    def looked(self) -> Counts:
        """All counts so far: requests, and each function's runs, milliseconds and bytes of log."""
        counts = self._meter.counts()
        for spec in self._cloud.functions.functions():
            name = spec.name.removeprefix(f"{self._cloud.settings.fleet}-")
            log = self._cloud.functions.log_path(spec.name)
            text = log.read_text(errors="replace") if log.exists() else ""
            runs = [float(found) for found in RUN.findall(text)]
            counts.update({f"runs of {name}": len(runs), f"ms of {name}": round(sum(runs)), "log bytes": len(text)})
        return counts

    def rest(self, for_s: float) -> Counts:
        """What was counted in a minute of rest."""
        before, began = self.looked(), time.monotonic()
        time.sleep(for_s)
        return _scaled(_between(before, self.looked()), 60 / (time.monotonic() - began))

    def during(self, do: Callable[[], None], happened: Callable[[], bool], idle: Counts, number: int) -> Counts:
        """What each of `number` changes takes beyond the minutes' own work; `do` sets them going."""
        before, began = self.looked(), time.monotonic()
        do()
        while not happened():
            if time.monotonic() - began > LIMIT_S:
                raise TimeoutError(f"it has not happened within {LIMIT_S:g} s")
            time.sleep(PAUSE_S)
        minutes = (time.monotonic() - began) / 60
        more = _between(before, self.looked())
        more.subtract(_scaled(idle, minutes))
        return Counter({name: round(max(0.0, count / number), 3) for name, count in more.items()})

    def workers(self) -> int:
        """How many are in service, by the group: asking the fleet would be counted."""
        answer = self._cloud.server.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[self._group]
        )
        return sum(one["LifecycleState"] == "InService" for one in answer["AutoScalingGroups"][0]["Instances"])

    def hold(self, least: int) -> None:
        """Have the group keep that many nodes, however empty."""
        client = self._cloud.server.client("autoscaling")
        sizes = {"MinSize": least, "DesiredCapacity": least} if least > 1 else {"MinSize": least}
        client.update_auto_scaling_group(AutoScalingGroupName=self._group, **sizes)

    def create(self, names: list[str]) -> None:
        """Ask for small containers. Raises RuntimeError when one is refused."""
        image = self._cloud.engines.images[engine_choice.WEB_IMAGE]
        for name in names:
            _expect(self._fleet.create(create_body(name, image, cpus="0.1", memory="64MiB")), 201, 202)

    def remove(self, names: list[str]) -> None:
        """Raises RuntimeError when one is still there."""
        for name in names:
            _expect(self._fleet.remove(name), 200)

    def items(self) -> list[Mapping[str, Any]]:
        """All of the state table, read past the functions."""
        table = f"{self._cloud.settings.fleet}-state"
        pages = self._cloud.server.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

    def running(self) -> int:
        """How many containers run, by the table."""
        return sum(item.get("state", {}).get("S") == "running" for item in self.items())

    def metrics(self) -> Mapping[str, int]:
        """How many metrics the functions have made: of the fleet, and of its pools."""
        return count_metrics(self._cloud.functions.log_path(spec.name) for spec in self._cloud.functions.functions())

    def size_of_items(self) -> Mapping[str, int]:
        """Of the state table: items, and their mean and greatest size as JSON."""
        sizes = [len(json.dumps(item)) for item in self.items()]
        return {"items": len(sizes), "mean bytes": sum(sizes) // len(sizes), "greatest bytes": max(sizes)}


def count_metrics(logs: Iterable[Path]) -> Mapping[str, int]:
    """Different metrics in functions' logs; CloudWatch takes them from there, each set of dimensions is one."""
    lines = (line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines())
    made = {(datum.name, datum.dimensions) for line in lines for datum in datums_in(line)}
    pools = sum(any(name == "Pool" for name, _ in dimensions) for _, dimensions in made)
    return {"fleet": len(made) - pools, "pools": pools}


def measure(bench: Bench, tell: Callable[[str], None]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All phases, one after the other, each by its name."""
    names = [f"bill-{number}" for number in range(WORKERS * EACH)]
    tell("waiting for two workers")
    bench.during(lambda: bench.hold(2), lambda: bench.workers() == 2, Counter(), 1)
    tell(f"two workers at rest, {QUIET_S:g} s")
    quiet = bench.rest(QUIET_S)
    yield "minute of few", _plain(quiet)
    tell(f"{WORKERS - 2} workers join")
    join = bench.during(lambda: bench.hold(WORKERS), lambda: bench.workers() == WORKERS, quiet, WORKERS - 2)
    yield "node joined", _plain(join)
    tell(f"{len(names)} containers are created")
    create = bench.during(lambda: bench.create(names), lambda: bench.running() == len(names), quiet, len(names))
    yield "container created", _plain(create)
    tell(f"{WORKERS} workers with {EACH} containers each at rest, {FULL_S:g} s")
    full = bench.rest(FULL_S)
    yield "minute of many", _plain(full)
    yield "items", bench.size_of_items()
    tell("all containers are removed")
    yield "container removed", _plain(bench.during(lambda: bench.remove(names), _at_once, full, len(names)))
    tell(f"{WORKERS - 1} workers leave")
    leave = bench.during(lambda: bench.hold(1), lambda: bench.workers() <= 1, quiet, WORKERS - 1)
    yield "node left", _plain(leave)
    yield "metrics", bench.metrics()


def _at_once() -> bool:
    """What has been done when it returns."""
    return True


def _expect(answer: Mapping[str, Any], *statuses: int) -> None:
    if answer.get("status") not in statuses:
        raise RuntimeError(f"not {statuses}: {answer}")


def main(target: Path) -> None:
    """Write what was measured."""
    shipped = (project_root() / "swarmkeeper.demo.yaml").read_text()
    for old, new in CHANGES:
        if old not in shipped:
            raise ValueError(f"the profile has no {old!r}")
        shipped = shipped.replace(old, new)
    with tempfile.TemporaryDirectory(prefix="swarmkeeper-bill-") as folder:
        settings = Path(folder) / "swarmkeeper.yaml"
        settings.write_text(shipped)
        cloud = LocalCloud(Options(settings, Path(folder) / "state", "simulated", agent_delay_s=2.0), _tell)
        try:
            cloud.start()
            found: dict[str, Any] = {"workers": {"few": 2, "many": WORKERS, "containers of each of many": EACH}}
            for name, counts in measure(Bench(cloud), _tell):
                found[name] = counts
                target.write_text(json.dumps(found, indent=1) + "\n")
        finally:
            cloud.close()


def _tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _between(before: Counts, after: Counts) -> Counts:
    return Counter({name: count - before[name] for name, count in after.items()})


def _scaled(counts: Counts, factor: float) -> Counts:
    return Counter({name: count * factor for name, count in counts.items()})


def _plain(counts: Counts) -> Mapping[str, float]:
    return {name: round(count, 3) for name, count in sorted(counts.items()) if count > 0}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
