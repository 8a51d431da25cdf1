"""Direct calls of the reconciler: `{"rebuild": true}`, and what is answered."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from swarmkeeper.errors import InvalidInput
from swarmkeeper.services.rebuild import FoundNode, Rebuilt


class RebuildCall(BaseModel):
    """A shard of the rebuild; `after` is what the answer before gave as `follows`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rebuild: Literal[True]
    after: str = ""


def rebuild_call(event: object) -> RebuildCall | None:
    """The call, None for what the schedule sends. Raises InvalidInput."""
    if not isinstance(event, dict) or "rebuild" not in event:
        return None
    try:
        return RebuildCall.model_validate(event)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidInput(".".join(map(str, first["loc"])), str(first["msg"])) from error


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
