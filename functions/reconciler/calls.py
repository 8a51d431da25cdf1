"""Direct calls of the reconciler, `rebuild`, `reconcile` and `recover`, and what is answered."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from swarmkeeper.errors import InvalidInput
from swarmkeeper.services.rebuild import FoundNode, Rebuilt
from swarmkeeper.services.reconciler import Nudges

T = TypeVar("T", bound=BaseModel)


class ReconcileCall(BaseModel):
    """A tick at once, at which every engine is compared with the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reconcile: Literal[True]


class RebuildCall(BaseModel):
    """A shard of the rebuild; `after` is what the answer before gave as `follows`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rebuild: Literal[True]
    after: str = ""


class RecoverCall(BaseModel):
    """All managers are lost: the one that launches into this pool's slot goes on with the state that is kept there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recover: str


Call = RebuildCall | ReconcileCall | RecoverCall


def direct_call(event: object) -> Call | None:
    """The call, None for what the schedule sends. Raises InvalidInput."""
    if isinstance(event, dict) and "recover" in event:
        return _validated(RecoverCall, event)
    if isinstance(event, dict) and "rebuild" in event:
        return _validated(RebuildCall, event)
    if isinstance(event, dict) and "reconcile" in event:
        return _validated(ReconcileCall, event)
    return None


def _validated(model: type[T], event: dict[str, object]) -> T:
    try:
        return model.model_validate(event)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidInput(".".join(map(str, first["loc"])), str(first["msg"])) from error


def nudged(nudges: Nudges) -> dict[str, Any]:
    """What a tick's caller gets: the differences by name, and whom it has had looked at."""
    return {
        "differences": {difference: list(where) for difference, where in nudges.found.items()},
        "checked_nodes": list(nudges.nodes),
        "retried_containers": list(nudges.containers),
        "compared_engines": list(nudges.inventories),
    }


def answer_of(rebuilt: Rebuilt) -> dict[str, Any]:
    """What the caller gets: the findings, and where to go on."""
    return {"nodes": [_node(node) for node in rebuilt.nodes], "follows": rebuilt.follows}


def summary_of(rebuilt: Rebuilt) -> dict[str, int]:
    """What goes into the log: how many were found how."""
    nodes = Counter(f"nodes_{node.finding.name.lower()}" for node in rebuilt.nodes)
    containers = Counter(
        f"containers_{each.finding.name.lower()}" for node in rebuilt.nodes for each in node.containers
    )
    return dict(nodes | containers)


def _node(node: FoundNode) -> dict[str, Any]:
    return {
        "id": node.id,
        "found": node.finding,
        "detail": node.detail,
        "containers": [{"name": each.name, "found": each.finding, "detail": each.detail} for each in node.containers],
    }
