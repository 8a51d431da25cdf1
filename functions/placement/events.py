"""What the placement function does for each event of the bus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from functions.placement.needs import Needs
from swarmkeeper.domain.model import ContainerName, ContainerState, NodeId
from swarmkeeper.edge.events import COMMAND_CHANGED, BusEvent
from swarmkeeper.edge.states import State
from swarmkeeper.errors import InvalidInput
from swarmkeeper.ports import WINDOWS_DOCUMENT, Clock, Command, Event
from swarmkeeper.services.inventory import Inventory
from swarmkeeper.services.pending import PendingQueue
from swarmkeeper.services.pulls import Puller
from swarmkeeper.services.router_upkeep import RouterUpkeep, Upkept


class PlacementEvents:
    """Dispatch over the use cases; tells the pending metric itself whenever the number may have changed."""

    def __init__(
        self,
        *,
        fleet: str,
        pending: PendingQueue,
        puller: Puller,
        inventory: Inventory,
        upkeep: RouterUpkeep | None = None,
        needs: Needs,
        clock: Clock,
        tell_pending: Callable[[int], None],
    ) -> None:
        self._fleet = fleet
        self._pending = pending
        self._puller = puller
        self._inventory = inventory
        self._upkeep = upkeep
        self._needs = needs
        self._clock = clock
        self._tell_pending = tell_pending

    def take(self, event: BusEvent) -> dict[str, Any]:
        """Serve an event; foreign ones are harmless. Raises what the event source should retry."""
        begun = self._clock.now()  # engines may take long, and the function's time is all there is
        if event.detail_type == COMMAND_CHANGED:
            return self._command_ended(event, begun)
        if not event.is_own(Event.NODE_READY, Event.PENDING_RETRY, Event.CONTAINER_ENDED, Event.INVENTORY_DUE):
            raise InvalidInput("detail-type", f"{event.detail_type} is not for placement")
        detail = event.own(self._fleet)
        if detail is None:
            return {"ignored": "another fleet's event"}
        if event.is_own(Event.CONTAINER_ENDED, Event.INVENTORY_DUE):
            return self._compared(event, detail.node, begun)
        if detail.name is not None:
            settled = self._pending.settle_named(ContainerName(detail.name))
            return {"container": detail.name, "state": None if settled is None else State.of(settled.state).value}
        return {
            "trigger": event.detail_type,
            "node": detail.node,
            "still_pending": self._ready(event, detail.node, begun),
        }

    def _ready(self, event: BusEvent, node: str | None, begun: float) -> int:
        """Retry what is pending, with a new node's images known, but also when its engine doesn't answer yet."""
        try:
            if event.is_own(Event.NODE_READY) and node is not None:
                self._inventory.note_images(NodeId(node))
                if self._upkeep is not None:
                    self._upkeep.attach(NodeId(node))
        finally:
            still_pending = self._retried(begun)
        return still_pending

    def _compared(self, event: BusEvent, node: str | None, begun: float) -> dict[str, Any]:
        """A node's word is a hint only: its engine is asked, and what is pending tries again."""
        if node is None:
            raise InvalidInput("detail.node", "is missing")
        found = self._inventory.check(NodeId(node))
        facts = {"gone": found.gone, "ended": found.ended, "removed": found.removed, "strange": found.strange}
        still_pending = self._retried(begun)
        upkept = self._upkept(event, NodeId(node))
        facts |= {"router_attached": upkept.attached, "router_left": upkept.left}
        told = {key: names for key, names in facts.items() if names}
        return {"trigger": event.detail_type, "node": node, **told, "still_pending": still_pending}

    def _upkept(self, event: BusEvent, node_id: NodeId) -> Upkept:
        """Networks are left at the schedule's look alone: a tenant whose last container ended may come back."""
        if self._upkeep is None:
            return Upkept()
        if event.is_own(Event.INVENTORY_DUE):
            return self._upkeep.settle(node_id)
        return self._upkeep.attach(node_id)

    def _retried(self, begun: float) -> int:
        still_pending = len(self._pending.retry(begun=begun))
        self._tell_pending(still_pending)
        if still_pending:
            self._needs.after(ContainerState.PENDING)
        return still_pending

    def _command_ended(self, event: BusEvent, begun: float) -> dict[str, Any]:
        command = event.command()
        if command.document.removesuffix(WINDOWS_DOCUMENT) != f"{self._fleet}-{Command.PULL}" or not command.has_ended:
            return {"ignored": f"{command.document} {command.status}"}
        node_id = NodeId(command.instance_id)
        image = self._puller.ended(node_id, command.command_id, succeeded=command.succeeded)
        if command.succeeded:
            self._inventory.note_images(node_id)
        failure = "" if command.succeeded else self._failure(node_id, image)
        self._pending.image_pulled(node_id, image, failure=failure, begun=begun)
        return {"node": node_id, "image": image, "pull": command.status}

    def _failure(self, node_id: NodeId, image: str | None) -> str:
        noted = "" if image is None else self._puller.failure(node_id, image)
        return noted or f"a pull failed on {node_id}"
