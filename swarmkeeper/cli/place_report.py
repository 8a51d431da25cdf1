"""A placement decision for people and programs: the choice, what came next, and why not the others."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, NodeId, Request, Resources
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.scheduler import Decision, Scored

CANDIDATES_SHOWN = 5
REFUSED_SHOWN = 40


def print_decision(console: Console, request: Request, decision: Decision, nodes: Sequence[NodeFacts]) -> None:
    """The answer in a line, then the candidates and the refused nodes as tables."""
    console.print(_answer(request, decision))
    if decision.rejections:
        console.print(escape(f"Refused: {decision.refusals()}."))
    if decision.candidates:
        console.print()
        console.print(_candidates(request, decision.candidates[:CANDIDATES_SHOWN]))
        _print_more(console, len(decision.candidates) - CANDIDATES_SHOWN, "can hold it")
    if decision.refused:
        console.print()
        console.print(_refused(decision, {node.id: node.name for node in nodes}))
        _print_more(console, len(decision.refused) - REFUSED_SHOWN, "can't")


def as_json(decision: Decision, nodes: Sequence[NodeFacts]) -> dict[str, object]:
    """All of the decision; refused nodes in the order of the file."""
    names = {node.id: node.name for node in nodes}
    return {
        "node": decision.chosen.id if decision.chosen else None,
        "name": names[decision.chosen.id] if decision.chosen else None,
        "pass": decision.pass_,
        "strategy": decision.strategy,
        "seed": decision.seed,
        "candidates": [
            {"node": each.node.id, "name": names[each.node.id], "weight": each.weight} for each in decision.candidates
        ],
        "rejections": {reason.value: count for reason, count in decision.rejections},
        "refused": [
            {"node": node, "name": names[node], "reason": rejection.reason.value, "detail": rejection.detail}
            for node, rejection in decision.refused
        ],
        "message": decision.explain(),
    }


def _answer(request: Request, decision: Decision) -> str:
    what = escape(request.name or "the container")
    if not decision.candidates and not decision.refused:
        return f"[bold red]No node can hold {what}[/]: the cluster has no nodes."
    if not decision.candidates:
        return f"[bold red]No node can hold {what}[/], soft expressions or not."
    soft = "" if decision.pass_ == 1 else " now that its soft expressions are dropped"
    best = decision.candidates[0]
    where = escape(_called(best.facts.name, best.node.id))
    return f"{what} goes to [bold green]{where}[/]{soft} ({decision.strategy}, weight {best.weight})."


def _candidates(request: Request, scored: Sequence[Scored]) -> Table:
    table = _table("CANDIDATE", "WEIGHT", "CONTAINERS", "CPUS AFTERWARDS", "MEMORY AFTERWARDS", "HEALTH")
    for each in scored:
        after = each.node.reserved + request.reservation
        table.add_row(
            escape(_called(each.facts.name, each.node.id)),
            str(each.weight),
            str(each.node.containers),
            *_shares(after, each.node.capacity),
            str(each.node.health),
        )
    return table


def _refused(decision: Decision, names: dict[NodeId, str]) -> Table:
    table = _table("REFUSED BY", "FILTER", "BECAUSE")
    for node, rejection in decision.refused[:REFUSED_SHOWN]:
        table.add_row(escape(_called(names[node], node)), f"[yellow]{rejection.reason}[/]", escape(rejection.detail))
    return table


def _shares(used: Resources, total: Resources) -> tuple[str, str]:
    cpus = f"{used.nano_cpus / NANO_CPUS_PER_CPU:g} of {total.nano_cpus / NANO_CPUS_PER_CPU:g}"
    return cpus, f"{used.memory_bytes / 2**20:.0f} of {total.memory_bytes / 2**20:.0f} MiB"


def _called(name: str, node_id: str) -> str:
    return name if name == node_id else f"{name} ({node_id})"


def _print_more(console: Console, more: int, what: str) -> None:
    if more > 0:
        console.print(f"[dim]and {more} more that {what}; --json lists all[/]")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
