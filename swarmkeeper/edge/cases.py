"""Conformance cases: a cluster, a request, and what classic Swarm's scheduler answers, one JSON object a line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, ValidationError

from swarmkeeper.domain.model import Resources
from swarmkeeper.domain.placement.expressions import InvalidExpression, parse_all, parse_whitelists
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.reasons import Reason
from swarmkeeper.domain.placement.scheduler import Decision, decide_wish
from swarmkeeper.domain.placement.wish import Wish, wish_of
from swarmkeeper.edge.clusters import BadFile, Nodes, Part, RequestEntry, bad_file, check_unique
from swarmkeeper.edge.patterns import compile_offline

INVALID_EXPRESSION = "invalid-expression"
GZIP_MAGIC = b"\x1f\x8b"


class Case(Part):
    """One line; what is expected, and other notes on it, are not read."""

    model_config = ConfigDict(extra="ignore")

    id: str
    strategy: Literal["spread", "binpack", "random"]
    nodes: Nodes
    request: RequestEntry


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """Where the case's request goes, or the category of what stopped it."""

    id: str
    node: str | None
    error: str | None
    pass_: int
    message: str

    def to_json(self) -> dict[str, str | int | None]:
        return {"id": self.id, "node": self.node, "error": self.error, "pass": self.pass_, "message": self.message}


def cases_in(path: Path) -> Iterator[Case]:
    """The cases of a JSON Lines file, gzipped or not, one after the other. Raises BadFile naming line and field."""
    with _lines(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _case(line, f"line {number}")


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[bytes]]:
    try:
        with path.open("rb") as raw:
            zipped = raw.peek(2).startswith(GZIP_MAGIC)
            with gzip.open(raw) if zipped else raw as lines:
                yield iter(lines)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadFile(str(path), f"is not a whole gzip file ({error})") from error


def _case(line: bytes, place: str) -> Case:
    try:
        case = Case.model_validate_json(line)
        check_unique(case.nodes)
    except ValidationError as error:
        raise bad_file(error, place) from error
    except BadFile as error:
        raise BadFile(place, str(error)) from error
    return case


def decide_case(case: Case, *, count_stopped: bool = True) -> CaseAnswer:
    """Decide as classic Swarm does; an expression that can't be read is a category of its own."""
    try:
        decision = decision_of(case, count_stopped=count_stopped)
    except InvalidExpression as error:
        return CaseAnswer(case.id, None, INVALID_EXPRESSION, 2, str(error))
    node = None if decision.chosen is None else str(decision.chosen.id)
    return CaseAnswer(case.id, node, category(decision), decision.pass_, decision.explain())


def decision_of(case: Case, *, count_stopped: bool = True) -> Decision:
    """The whole decision: by truncated scores, and with expressions parsed when their filter is reached.

    Raises InvalidExpression when a filter can't read its expressions and those before it left nodes.
    """
    options = PlacementOptions(compile_offline, case.strategy, exact=False)
    nodes = [node.facts(count_stopped=count_stopped) for node in case.nodes]
    wish = wish_of(case.request.without_expressions, options)
    try:
        wish = replace(wish, affinities=parse_all(case.request.expressions("affinity"), compile_offline))
        wish = replace(wish, constraints=parse_all(case.request.expressions("constraint"), compile_offline))
        wish = replace(wish, whitelists=parse_whitelists(case.request.expressions("whitelist")))
    except InvalidExpression:
        stopped = _stopped_before(wish, nodes, options)
        if stopped is None:
            raise
        return stopped
    return decide_wish(wish, nodes, options)


def category(decision: Decision) -> str | None:
    """The filter that left no node; an empty cluster fails the first, which is health. None when a node was found."""
    if decision.chosen is not None:
        return None
    return (decision.blocked_by or Reason.HEALTH).value


def _stopped_before(wish: Wish, nodes: Sequence[NodeFacts], options: PlacementOptions) -> Decision | None:
    """The decision when the filters that could be read leave no node in the second pass; None when they leave some.

    Room is not asked for: it comes after all filters.
    """
    decision = decide_wish(replace(wish, reservation=Resources()), nodes, options)
    return None if decision.candidates else decision
