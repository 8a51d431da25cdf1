"""Where a container would go, asked offline: of a cluster's file, or of many conformance cases."""

from __future__ import annotations

import json as json_lines
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from swarmkeeper.cli import output, place_report
from swarmkeeper.cli.requests import WrongArgument, memory_bytes
from swarmkeeper.domain.model import Request
from swarmkeeper.domain.placement.expressions import InvalidExpression
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.scheduler import decide
from swarmkeeper.domain.placement.strategies import STRATEGIES
from swarmkeeper.edge.cases import cases_in, decide_case
from swarmkeeper.edge.clusters import BadFile
from swarmkeeper.edge.patterns import compile_re2
from swarmkeeper.edge.questions import read_cluster, read_request
from swarmkeeper.edge.settings import PlacementSettings

DEFAULT_MEMORY = f"{PlacementSettings().default_memory // 2**20}MiB"
NAMES = tuple(strategy.name for strategy in STRATEGIES)


def _known_strategy(value: str) -> str:
    if value not in NAMES:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(NAMES)}")
    return value


CasesOption = Annotated[
    Path | None,
    typer.Option(
        "--cases", exists=True, dir_okay=False, help="Conformance cases, one JSON object a line, gzipped or not."
    ),
]
ClusterOption = Annotated[
    Path | None, typer.Option("--cluster", exists=True, dir_okay=False, help='The cluster: {"nodes": [...]} as JSON.')
]
RequestOption = Annotated[
    Path | None,
    typer.Option("--request", exists=True, dir_okay=False, help="The request as JSON, or Docker's create body."),
]
StrategyOption = Annotated[
    str,
    typer.Option(callback=_known_strategy, autocompletion=lambda: list(NAMES), help=f"One of {', '.join(NAMES)}."),
]
SeedOption = Annotated[int | None, typer.Option(help="Decides ties, and the random strategy; else the lowest name.")]
BalanceOption = Annotated[str, typer.Option(metavar="LABEL", help="Balance containers over the values of this label.")]
ImagesOption = Annotated[bool, typer.Option("--prefer-local-images", help="Among equals, a node with the image first.")]
ProtocolOption = Annotated[bool, typer.Option("--ports-by-protocol", help="53/udp and 53/tcp don't clash.")]
ClassicOption = Annotated[bool, typer.Option("--classic", help="Truncated scores decide on room, as in classic Swarm.")]
StoppedOption = Annotated[bool, typer.Option("--ignore-stopped", help="Leave stopped containers out.")]
MemoryOption = Annotated[
    str,
    typer.Option(
        "--default-memory", metavar="SIZE", help="What a Docker body without a memory limit reserves, as in a fleet."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON; for cases, a line each.")]


def place(
    cases: CasesOption = None,
    cluster: ClusterOption = None,
    request: RequestOption = None,
    strategy: StrategyOption = "spread",
    seed: SeedOption = None,
    balance_over: BalanceOption = "",
    prefer_local_images: ImagesOption = False,
    ports_by_protocol: ProtocolOption = False,
    classic: ClassicOption = False,
    ignore_stopped: StoppedOption = False,
    default_memory: MemoryOption = DEFAULT_MEMORY,
    json: JsonOption = False,
) -> None:
    """Say offline where a container would go, and why not elsewhere.

    With --cluster and --request: of one cluster; exit status 1 when no node fits. With --cases: of each line of a
    file in the format of the conformance data, which names its own strategy.
    """
    try:
        if cases is not None and cluster is None and request is None:
            _place_cases(cases, count_stopped=not ignore_stopped, as_json=json)
        elif cases is None and cluster is not None and request is not None:
            options = PlacementOptions(
                compile_pattern=compile_re2,
                strategy=strategy,
                exact=not classic,
                ports_by_protocol=ports_by_protocol,
                balance_over=balance_over,
                prefer_local_images=prefer_local_images,
            )
            nodes = read_cluster(cluster, count_stopped=not ignore_stopped)
            wanted = read_request(request, default_memory_bytes=memory_bytes(default_memory))
            _place_one(wanted, nodes, options, seed, as_json=json)
        else:
            raise typer.BadParameter("give either --cases, or --cluster and --request")
    except (BadFile, WrongArgument) as error:
        output.fail(str(error))
    except InvalidExpression as error:
        output.fail(f"{request}: {error}")


def _place_cases(path: Path, *, count_stopped: bool, as_json: bool) -> None:
    for case in cases_in(path):
        answer = decide_case(case, count_stopped=count_stopped)
        if as_json:
            typer.echo(json_lines.dumps(answer.to_json()))
        else:
            typer.echo(f"{answer.id}: {answer.node or answer.error} (pass {answer.pass_}; {answer.message})")


def _place_one(
    wanted: Request, nodes: Sequence[NodeFacts], options: PlacementOptions, seed: int | None, *, as_json: bool
) -> None:
    decision = decide(wanted, nodes, options, seed=seed)
    if as_json:
        output.print_json(place_report.as_json(decision, nodes))
    else:
        place_report.print_decision(output.result(), wanted, decision, nodes)
    if decision.chosen is None:
        raise typer.Exit(output.REFUSED)
