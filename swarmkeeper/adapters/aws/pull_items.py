"""Pulls under way, as items of their node."""

from __future__ import annotations

import math

from swarmkeeper.adapters.aws.dynamo import ConditionFailed, DynamoTable
from swarmkeeper.adapters.aws.items import PULLS, Item, number, pull_key, text
from swarmkeeper.adapters.aws.writes import Terms, delete, put
from swarmkeeper.domain.model import NodeId
from swarmkeeper.errors import Conflict
from swarmkeeper.ports import Pull

KEPT_S = 3600.0
"""How long after its end one that nobody dropped, because its node went, is kept."""


class DynamoPulls:
    """Pulls in the fleet's table."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def pull(self, node_id: NodeId, image: str) -> Pull | None:
        item = self._table.get(pull_key(node_id, image))
        return None if item is None else _pull_from(item)

    def pulls_on(self, node_id: NodeId) -> tuple[Pull, ...]:
        return tuple(map(_pull_from, self._table.partition(f"{PULLS}{node_id}")))

    def save_pull(self, pull: Pull, *, over: Pull | None) -> None:
        try:
            self._table.write(put(_pull_item(pull), Terms().absent() if over is None else _as_given(over)))
        except ConditionFailed as failed:
            raise Conflict(f"the pull of {pull.image} on {pull.node_id} is another call's") from failed

    def drop_pull(self, pull: Pull) -> None:
        try:
            self._table.write(delete(pull_key(pull.node_id, pull.image), _as_given(pull)))
        except ConditionFailed:
            return


def _pull_item(pull: Pull) -> Item:
    return {
        **pull_key(pull.node_id, pull.image),
        "until": number(pull.until),
        "command_id": text(pull.command_id),
        "failure": text(pull.failure),
        "expires_at": number(math.ceil(pull.until + KEPT_S)),
    }


def _pull_from(item: Item) -> Pull:
    return Pull(
        node_id=NodeId(item["pk"]["S"].removeprefix(PULLS)),
        image=item["sk"]["S"],
        until=float(item["until"]["N"]),
        command_id=item["command_id"]["S"],
        failure=item["failure"]["S"],
    )


def _as_given(pull: Pull) -> Terms:
    same = Terms().equal("until", number(pull.until)).equal("command_id", text(pull.command_id))
    return same.equal("failure", text(pull.failure))
