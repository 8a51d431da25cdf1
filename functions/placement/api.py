"""What the placement function does for each call and event."""

from __future__ import annotations

from typing import Any

from swarmkeeper.adapters.aws.metrics import emit_pending
from swarmkeeper.domain.model import ContainerName, ContainerState, NodeId, Request
from swarmkeeper.edge import answers
from swarmkeeper.edge.calls import Create, Explain, List, parse_call
from swarmkeeper.edge.events import COMMAND_CHANGED, BusEvent
from swarmkeeper.edge.requests import parse_request
from swarmkeeper.errors import InvalidInput, SwarmkeeperError
from swarmkeeper.ports import Command, Event
from swarmkeeper.services.placer import Placer


class PlacementApi:
    """Dispatch over the placer; emits the pending metric itself whenever the number may have changed."""

    def __init__(self, placer: Placer, *, fleet: str, network: str, default_memory_bytes: int) -> None:
        self._placer = placer
        self._fleet = fleet
        self._network = network
        self._default_memory_bytes = default_memory_bytes

    def call(self, event: object) -> answers.Answer:
        """Serve a direct call. Raises SwarmkeeperError; `refuse` makes the answer of it."""
        match parse_call(event):
            case Create(request=body):
                container = self._placer.create(self._admitted(body))
                if container.state is ContainerState.PENDING:
                    self._measure_pending()
                return answers.created(container)
            case Explain(request=body):
                return answers.explained(self._placer.explain(self._admitted(body)))
            case List():
                return answers.listed(*self._placer.listing())
            case remove:
                return answers.removed(remove.name, self._placer.remove(ContainerName(remove.name)))

    def refuse(self, error: SwarmkeeperError) -> answers.Answer:
        """The answer for a call that raised."""
        return answers.refused(error)

    def summary(self, answer: answers.Answer) -> dict[str, Any]:
        """What of an answer goes into the log: no listings, no request bodies."""
        container = answer.get("container") or {}
        # `name` is a field that log records have already.
        facts = {key: container.get(key) for key in ("state", "node", "reason") if container.get(key)}
        return {"status": answer["status"], "container": container.get("name"), **facts, "error": answer.get("error")}

    def take(self, event: BusEvent) -> dict[str, Any]:
        """Serve an event of the bus; foreign ones are harmless. Raises what the event source should retry."""
        if event.detail_type == COMMAND_CHANGED:
            return self._command_ended(event)
        if not event.is_own(Event.NODE_READY, Event.PENDING_RETRY):
            raise InvalidInput("detail-type", f"{event.detail_type} is not for placement")
        detail = event.own(self._fleet)
        if detail is None:
            return {"ignored": "another fleet's event"}
        if detail.name is not None:
            settled = self._placer.settle_named(ContainerName(detail.name))
            return {"container": detail.name, "state": None if settled is None else settled.state.value}
        still_pending = self._placer.place_pending()
        self._measure_pending()
        return {"trigger": event.detail_type, "node": detail.node, "still_pending": len(still_pending)}

    def _admitted(self, body: object) -> Request:
        return parse_request(body, network=self._network, default_memory_bytes=self._default_memory_bytes)

    def _command_ended(self, event: BusEvent) -> dict[str, Any]:
        command = event.command()
        if command.document != f"{self._fleet}-{Command.PULL}" or not command.has_ended:
            return {"ignored": f"{command.document} {command.status}"}
        node_id = NodeId(command.instance_id)
        self._placer.image_pulled(node_id, command.command_id, succeeded=command.succeeded)
        return {"node": node_id, "pull": command.status}

    def _measure_pending(self) -> None:
        emit_pending(self._fleet, self._placer.pending_count())
