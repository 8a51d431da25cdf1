"""The scaler's memory as items and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.items import Item, integer_in, number, optional_number, scaling_key, text
from swarmkeeper.domain.model import NodeId, PoolName
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
    }


def scaling_from(item: Mapping[str, AttributeValueTypeDef]) -> ScalingState:
    recheck_at, failed_since = item["recheck_at"], item["failed_since"]
    return ScalingState(
        pool=PoolName(item["pk"]["S"].removeprefix("SCALING#")),
        version=integer_in(item, "version"),
        last_out_at=float(item["last_out_at"]["N"]),
        last_in_at=float(item["last_in_at"]["N"]),
        recheck_at=float(recheck_at["N"]) if "N" in recheck_at else None,
        abandoned_in_a_row=integer_in(item, "abandoned_in_a_row"),
        failed_since=float(failed_since["N"]) if "N" in failed_since else None,
        abandoned_nodes=tuple(NodeId(value["S"]) for value in item["abandoned_nodes"]["L"]),
        last_decision=item["last_decision"]["S"],
    )
