"""swarmkeeper simulate: tries scaling policies on a demand trace, offline."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from swarmkeeper.cli.output import fail, notice, print_json, result
from swarmkeeper.cli.simulation.amounts import duration, node_size
from swarmkeeper.cli.simulation.configuration import with_config
from swarmkeeper.cli.simulation.progress import Runs, runs
from swarmkeeper.cli.simulation.tables import results_table
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.strategies import BUSIEST
from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom
from swarmkeeper.edge.patterns import compile_re2
from swarmkeeper.errors import InvalidInput
from swarmkeeper.simulation.experiment import FULL, SHORT, Result, Setup, profile_of, run_policy, to_json
from swarmkeeper.simulation.model import PoolModel
from swarmkeeper.simulation.named import CONFIG, DEFAULTS, names_in
from swarmkeeper.simulation.report.page import Report, write_report
from swarmkeeper.simulation.report.sweep import sweeps
from swarmkeeper.simulation.trace import Trace, read_trace
from swarmkeeper.simulation.workload import Batches

SHORT_S = 6 * 3600.0


class ProfileName(StrEnum):
    """All of a trace, or only what lives for a short time."""

    FULL = FULL
    SHORT = SHORT


TraceOption = Annotated[
    Path, typer.Option("--trace", help="Arrivals as CSV, or .csv.gz; docs/simulation.md tells the columns.")
]
PolicyOption = Annotated[
    list[str] | None,
    typer.Option("--policy", help=f"{', '.join(DEFAULTS)}; may be repeated. By default all of them."),
]
ProfileOption = Annotated[
    list[ProfileName] | None,
    typer.Option("--profile", help="full, or short: lifetimes up to --max-lifetime (6h); may be repeated."),
]
MaxLifetimeOption = Annotated[
    str | None, typer.Option("--max-lifetime", help="Leave out what may live longer, e.g. 6h: the profile short.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="A swarmkeeper.yaml to try too, as the policy config; --node is its size."),
]
PoolOption = Annotated[
    str | None, typer.Option("--pool", help="The pool of --config, where it has several of workers.")
]
ReportOption = Annotated[
    Path | None, typer.Option("--report", help="Write report.html with plots, and report.json, to this folder.")
]
FrontierOption = Annotated[
    bool,
    typer.Option("--frontier/--no-frontier", help="Whether the report has a sweep, some twenty runs more a profile."),
]
BatchesOption = Annotated[
    Batches, typer.Option("--batches", help="Whether what a tenant starts together comes apart or at one instant.")
]
NodeOption = Annotated[str, typer.Option("--node", help="A node's VCPU,GB.")]
BootOption = Annotated[str, typer.Option("--boot", help="From buying a node to using it.")]
WarmupOption = Annotated[str, typer.Option("--warmup", help="What is not counted of the trace's beginning.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Decides what is drawn from the trace's bins.")]
DecisionOption = Annotated[str, typer.Option("--decision", help="The least time between two of our decisions.")]
AlarmOption = Annotated[str, typer.Option("--alarm-period", help="The period of the alarms that other policies have.")]
PriceOption = Annotated[float, typer.Option("--price", min=0, help="What a node costs an hour.")]
FailuresOption = Annotated[
    float, typer.Option("--launch-failures", min=0, max=0.9, help="The share of launches that come to nothing.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def simulate(
    trace: TraceOption,
    policy: PolicyOption = None,
    profile: ProfileOption = None,
    max_lifetime: MaxLifetimeOption = None,
    config: ConfigOption = None,
    pool: PoolOption = None,
    json: JsonOption = False,
    report: ReportOption = None,
    frontier: FrontierOption = True,
    batches: BatchesOption = Batches.APART,
    node: NodeOption = "32,256",
    boot: BootOption = "90",
    warmup: WarmupOption = "12h",
    seed: SeedOption = 1,
    decision: DecisionOption = "5",
    alarm_period: AlarmOption = "60",
    price: PriceOption = 0.0,
    launch_failures: FailuresOption = 0.0,
) -> None:
    """Replay real demand against scaling policies and compare what they cost and how long containers wait."""
    model = PoolModel(
        node_size(node),
        duration(boot),
        _positive("decision", decision),
        _positive("alarm-period", alarm_period),
        price,
        launch_failures,
    )
    headroom = ArrivalHeadroom(boot_s=max(model.boot_s, model.decision_s))
    setup = Setup(model, PlacementOptions(compile_re2), headroom, BUSIEST.name, duration(warmup), seed, batches)
    limits = _max_lifetimes(profile, max_lifetime)
    try:
        if config is not None:
            setup = with_config(setup, config, pool)
        names = names_in(policy or (*DEFAULTS, *((CONFIG,) if config else ())))
        rows = read_trace(trace)
        with runs(rows.length_s) as bars:
            results = [each for limit in limits for each in _run(names, rows, setup, limit, bars)]
            profiles = {each.profile.name: each.profile for each in results}.values() if report and frontier else ()
            swept = tuple(each for drawn in profiles for each in sweeps(drawn, setup, bars.run))
    except InvalidInput as error:
        fail(str(error))
    shortest = max((each for each in limits if each), default=None)
    made = Report(to_json(setup, rows, shortest, results), tuple(results), swept)
    if report:
        write_report(made, report)
        notice(f"report: {report / 'report.html'}")
    if json:
        print_json(made.document)
    else:
        result().print(results_table(results))


def _max_lifetimes(profiles: list[ProfileName] | None, max_lifetime: str | None) -> list[float | None]:
    """The longest lifetime of each profile, None for all of the trace."""
    limit = duration(max_lifetime) if max_lifetime else None
    if not profiles:
        return [limit]
    if limit is not None and ProfileName.SHORT not in profiles:
        raise typer.BadParameter("--max-lifetime is of the profile short: name that too, or neither")
    return [None if each is ProfileName.FULL else limit or SHORT_S for each in profiles]


def _run(names: tuple[str, ...], trace: Trace, setup: Setup, limit_s: float | None, bars: Runs) -> list[Result]:
    profile = profile_of(trace, setup, limit_s)
    results = []
    for name in names:
        with bars.run(f"{profile.name} {name}") as progress:
            results.append(run_policy(name, profile, setup, progress))
    return results


def _positive(option: str, text: str) -> float:
    seconds = duration(text)
    if seconds <= 0:
        raise typer.BadParameter(f"--{option} must be above 0")
    return seconds
