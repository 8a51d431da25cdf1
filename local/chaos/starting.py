"""A cloud of its own for a run, on simulated or real engines, ended with it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from local import engines as engine_choice
from local import remains
from local.chaos.faults import kinds_for, left_out
from local.chaos.hands import hands_of
from local.chaos.ledger import Ledger
from local.chaos.load import PAUSE_S, Load
from local.chaos.plan import draw
from local.chaos.report import Report, report_of
from local.chaos.routers import Routers, no_routers
from local.chaos.run import Run
from local.chaos.sight import Sight
from local.chaos.snapshot import Snapshot
from local.chaos.stage import Stage
from local.cloud import LocalCloud, Options
from local.lock import AlreadyRunning, MachineLock, default_lock_path
from local.starter import LocalCloudError, project_root
from swarmkeeper.cli.fleet import Fleet, Invoker
from swarmkeeper.edge.yaml_lines import read_yaml

PROFILE = "swarmkeeper.chaos.yaml"
SIZES = {"simulated": 24, "real": 12}
"""How many containers live at a time; more real engines than this machine bears would only show its limits."""
AGENT_DELAY_S = 1.0
SHIPPED_WORKERS, SHIPPED_SLOTS = 2, 8
"""How many workers the shipped profile has at the least, and how many containers each may hold."""
MOST_BY_LEAST = 3

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run that is asked for."""

    faults: int
    seed: int
    engines: str = "auto"
    mean_gap_s: float = 8.0
    deadline_s: float = 600.0
    managers: int = 1
    workers: int = SHIPPED_WORKERS
    """At the least; at the most there are three times as many."""
    pause_s: float = PAUSE_S
    """Of the load: between two calls of each of its callers."""
    logs: Path | None = None
    """Where the functions' logs are copied when it is over."""


def run(wanted: Wanted, tell: Tell) -> Report:
    """Raises LocalCloudError when the cloud can't be started, TimeoutError when it doesn't get to serve."""
    with cloud_of_its_own(wanted, tell) as cloud:
        kind = cloud.engines.kind
        hands, ledger = hands_of(cloud), Ledger()
        fleet = Fleet(cloud.settings.fleet, cast(Invoker, cloud.server.client("lambda")))
        size = SIZES[kind]
        image = cloud.engines.images[engine_choice.WEB_IMAGE]
        load = Load(fleet, image, ledger, size=size, seed=wanted.seed, pause_s=wanted.pause_s)
        course = Run(
            stage=Stage(cloud, hands),
            sight=Sight(cloud, hands),
            load=load,
            ledger=ledger,
            tell=tell,
            deadline_s=wanted.deadline_s,
            is_atomic=kind == "simulated",
            unreached=Routers(fleet, cloud.settings.network).unanswered if kind == "real" else no_routers,
        )
        plan = draw(wanted.seed, wanted.faults, mean_gap_s=wanted.mean_gap_s, kinds=kinds_for(kind, wanted.managers))
        outcome = course.go(plan, warm=lambda seen: _is_warm(cloud, seen, size))
        left = left_out(kind, wanted.managers)
        return report_of(outcome, seed=wanted.seed, engines=kind, mean_gap_s=wanted.mean_gap_s, left_out=left)


@contextmanager
def cloud_of_its_own(wanted: Wanted, tell: Tell) -> Iterator[LocalCloud]:
    """A cloud of the shipped profile in a folder of its own; real engines are this machine's only ones meanwhile."""
    kind = engine_choice.choose(wanted.engines, tell)
    with ExitStack() as ends:
        state_dir = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="swarmkeeper-chaos-")))
        if kind == "real":
            try:
                lock = MachineLock.acquire(default_lock_path(), state_dir, "a run of swarmkeeper chaos")
            except AlreadyRunning as error:
                raise LocalCloudError(str(error)) from error
            ends.callback(lock.release)
            remains.clean(state_dir, tell)
            ends.callback(remains.clean, state_dir, tell)
        if wanted.logs is not None:
            ends.callback(remains.copy_logs, state_dir, wanted.logs)
        profile = profile_with(state_dir, managers=wanted.managers, workers=wanted.workers)
        options = Options(profile, state_dir, kind, AGENT_DELAY_S)
        cloud = LocalCloud(options, tell)
        ends.callback(cloud.close)
        cloud.start()
        yield cloud


def profile_with(folder: Path, *, managers: int = 1, workers: int = SHIPPED_WORKERS) -> Path:
    """The shipped profile, or one like it in the folder that has more managers, or more workers.

    More workers have as many slots altogether as the shipped ones, so the same load needs more than the least of them.
    """
    shipped = project_root() / PROFILE
    if managers == 1 and workers == SHIPPED_WORKERS:
        return shipped
    profile = cast(dict[str, Any], read_yaml(shipped.read_text()).data)
    pools = profile["pools"]
    if managers != 1:
        pools["managers"] |= {"min": managers, "max": managers, "failure_grace": pools["workers"]["failure_grace"]}
    slots = max(SHIPPED_WORKERS * SHIPPED_SLOTS // workers, 1)
    pools["workers"] |= {"min": workers, "max": MOST_BY_LEAST * workers, "labels": {"containerslots": str(slots)}}
    made = folder / PROFILE
    made.write_text(json.dumps(profile))  # which is YAML too
    return made


def _is_warm(cloud: LocalCloud, seen: Snapshot, size: int) -> bool:
    """As many nodes as there must be, and half of the load running."""
    least = sum(pool.min for pool in cloud.settings.pools.values())
    ready = [node for node in seen.nodes.values() if node.state == "ready"]
    running = [one for one in seen.containers.values() if one.state == "running"]
    return len(ready) >= least and len(running) * 2 >= size
