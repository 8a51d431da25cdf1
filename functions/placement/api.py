"""What the placement function does for each direct call."""

from __future__ import annotations

from typing import Any

from functions.placement.operations import Operations
from swarmkeeper.edge import answers
from swarmkeeper.edge.calls import Create, Explain, List, parse_call
from swarmkeeper.errors import SwarmkeeperError


class PlacementApi:
    """Direct calls, which act for every tenant: whoever may invoke the function runs the fleet."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def answer(self, event: object) -> answers.Answer:
        """Serve a direct call; one that is refused is answered with the reason."""
        try:
            return self.call(event)
        except SwarmkeeperError as error:
            return answers.refused(error)

    def call(self, event: object) -> answers.Answer:
        """Serve a direct call. Raises SwarmkeeperError; `refuse` makes the answer of it."""
        match parse_call(event):
            case Create(request=body, token=token):
                return answers.created(self._operations.create(body, token=token))
            case Explain(request=body):
                return answers.explained(self._operations.explain(body))
            case List():
                return answers.listed(*self._operations.everything())
            case remove:
                return answers.removed(remove.name, self._operations.remove(remove.name))

    def summary(self, answer: answers.Answer) -> dict[str, Any]:
        """What of an answer goes into the log: no listings, no request bodies."""
        container = answer.get("container") or {}
        # `name` is a field that log records have already.
        facts = {key: container.get(key) for key in ("state", "node", "reason") if container.get(key)}
        return {"status": answer["status"], "container": container.get("name"), **facts, "error": answer.get("error")}
