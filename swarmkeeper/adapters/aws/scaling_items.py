"""The scaler's memory as items and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.items import Item, integer_in, number, optional_number, scaling_key, text
from swarmkeeper.domain.model import NO_RESOURCES, NodeId, PoolName, Resources
from swarmkeeper.domain.scaling.arrivals import NO_ARRIVALS, ArrivalPeak
from swarmkeeper.domain.scaling.state import ScalingState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


def scaling_item(state: ScalingState) -> Item:
    return {
        **scaling_key(state.pool),
        "version": number(state.version),
        "last_out_at": number(state.last_out_at),
        "last_in_at": number(state.last_in_at),
        "recheck_at": optional_number(state.recheck_at),
        "abandoned_in_a_row": number(state.abandoned_in_a_row),
        "failed_since": optional_number(state.failed_since),
        "abandoned_nodes": {"L": [text(node_id) for node_id in state.abandoned_nodes]},
        "last_decision": text(state.last_decision),
        "recorded_at": number(state.recorded_at),
        "recorded_as": text(state.recorded_as),
        "bought": _changes(state.bought),
        "removed": _changes(state.removed),
        "unavailable_until": optional_number(state.unavailable_until),
        "arrivals": _peak(state.arrivals),
    }


def scaling_from(item: Mapping[str, AttributeValueTypeDef]) -> ScalingState:
    return ScalingState(
        pool=PoolName(item["pk"]["S"].removeprefix("SCALING#")),
        version=integer_in(item, "version"),
        last_out_at=float(item["last_out_at"]["N"]),
        last_in_at=float(item["last_in_at"]["N"]),
        recheck_at=_time_in(item, "recheck_at"),
        abandoned_in_a_row=integer_in(item, "abandoned_in_a_row"),
        failed_since=_time_in(item, "failed_since"),
        abandoned_nodes=tuple(NodeId(value["S"]) for value in item["abandoned_nodes"]["L"]),
        last_decision=item["last_decision"]["S"],
        # What follows came later: an item of an older version has none of it.
        recorded_at=_time_in(item, "recorded_at") or 0.0,
        recorded_as=item["recorded_as"]["S"] if "recorded_as" in item else "",
        bought=_changes_in(item, "bought"),
        removed=_changes_in(item, "removed"),
        unavailable_until=_time_in(item, "unavailable_until"),
        arrivals=_peak_in(item["arrivals"]["M"]) if "arrivals" in item else NO_ARRIVALS,
    )


def _changes(changes: Sequence[tuple[float, int]]) -> AttributeValueTypeDef:
    return {"L": [{"L": [number(at), number(nodes)]} for at, nodes in changes]}


def _changes_in(item: Mapping[str, AttributeValueTypeDef], name: str) -> tuple[tuple[float, int], ...]:
    pairs = [each["L"] for each in item[name]["L"]] if name in item else []
    return tuple((float(at["N"]), int(nodes["N"])) for at, nodes in pairs)


def _peak(peak: ArrivalPeak) -> AttributeValueTypeDef:
    return {
        "M": {
            "nano_cpus": number(peak.resources.nano_cpus),
            "memory_bytes": number(peak.resources.memory_bytes),
            "size_nano_cpus": number(peak.size.nano_cpus),
            "size_memory_bytes": number(peak.size.memory_bytes),
            "at": number(peak.at),
            "large_nano_cpus": number(peak.large.nano_cpus),
            "large_memory_bytes": number(peak.large.memory_bytes),
            "large_count": number(peak.large_count),
        }
    }


def _peak_in(peak: Mapping[str, AttributeValueTypeDef]) -> ArrivalPeak:
    return ArrivalPeak(
        resources=Resources(integer_in(peak, "nano_cpus"), integer_in(peak, "memory_bytes")),
        size=Resources(integer_in(peak, "size_nano_cpus"), integer_in(peak, "size_memory_bytes")),
        at=float(peak["at"]["N"]),
        # What follows came later, as above.
        large=Resources(integer_in(peak, "large_nano_cpus"), integer_in(peak, "large_memory_bytes"))
        if "large_count" in peak
        else NO_RESOURCES,
        large_count=float(peak["large_count"]["N"]) if "large_count" in peak else 0.0,
    )


def _time_in(item: Mapping[str, AttributeValueTypeDef], name: str) -> float | None:
    value = item.get(name, {})
    return float(value["N"]) if "N" in value else None
