"""What callers are told of scaling decisions; a decision is told by the names of the day it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import Field

from swarmkeeper.domain.scaling.decision import Direction
from swarmkeeper.domain.scaling.history import StoredDecision
from swarmkeeper.edge.views import View


class ScalingSummaryView(View):
    """What was decided about a pool's size."""

    id: str
    at: float = Field(description="Seconds since the epoch.")
    pool: str
    trigger: str = Field(description="Who asked: an alarm, a need, the schedule.")
    direction: Direction
    desired: int = Field(description="What the group's desired capacity comes to.")
    wish: int = Field(description="What it would come to without any guard.")
    guards: list[str] = Field(description="What capped the wish.")
    dry_run: bool = Field(description="Whether it was decided only, and nothing was done.")
    reason: str

    @classmethod
    def of(cls, decision: StoredDecision) -> Self:
        return cls(**summary_of(decision))


class UnplaceableView(View):
    """A waiting container that no node of the pools could ever hold, and why."""

    name: str
    reason: str
    detail: str = ""


class ScalingDecisionView(ScalingSummaryView):
    """A decision with all that was kept of it."""

    victims: list[str] = Field(description="Nodes that are drained and ended.")
    reclaimed: list[str] = Field(description="Nodes that were draining and are taken back.")
    unplaceable: list[UnplaceableView] = Field(description="Some of those that no node could hold.")
    unplaceable_count: int
    recheck_at: float | None = Field(description="When it is asked again, whatever happens.")
    inputs: dict[str, Any] = Field(description="What it was decided from.")

    @classmethod
    def of(cls, decision: StoredDecision) -> Self:
        facts = decision.facts
        unplaceable = _mappings(facts.get("unplaceable"))
        return cls(
            **summary_of(decision),
            victims=_texts(facts.get("victims")),
            reclaimed=_texts(facts.get("reclaimed")),
            unplaceable=[UnplaceableView.model_validate({**each}) for each in unplaceable],
            unplaceable_count=_number(facts.get("unplaceable_count"), len(unplaceable)),
            recheck_at=_time(facts.get("recheck_at")),
            inputs={**_mapping(facts.get("inputs"))},
        )


class ScalingDecisionsView(View):
    """A page of decisions, the newest first."""

    decisions: list[ScalingSummaryView]
    next: str | None = Field(
        default=None, description="Give it as `next` for the page that follows; null: there is none."
    )


def summary_of(decision: StoredDecision) -> dict[str, Any]:
    """The fields of a summary; what an older version didn't keep is left empty."""
    facts = decision.facts
    return {
        "id": decision.id,
        "at": decision.at,
        "pool": decision.pool,
        "trigger": str(facts.get("trigger", "")),
        "direction": str(facts.get("direction", Direction.NONE.value)),
        "desired": _number(facts.get("desired"), 0),
        "wish": _number(facts.get("wish"), 0),
        "guards": _texts(facts.get("guards")),
        "dry_run": facts.get("dry_run") is True,
        "reason": str(facts.get("reason", "")),
    }


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else []


def _number(value: object, default: int) -> int:
    return int(value) if isinstance(value, int | float) else default


def _time(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
