"""What becomes of a lost node: fenced, then its containers start elsewhere; or it returns first.

The order is what keeps one live copy to a name (I2): nothing new is reserved on a LOST node; its router gets no
more requests; its instance is ended, or is waited for where it holds what can't be moved; and only when EC2 says
that it runs no longer are its containers given away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from swarmkeeper.domain.losses import NORMAL, LossPolicy, kept_for_return, loses_layer, waits_until
from swarmkeeper.domain.membership import LeaveCause, NodeState, Step
from swarmkeeper.domain.model import Container, ContainerState, Node, PoolName, Role
from swarmkeeper.errors import Conflict, UnsafeAction
from swarmkeeper.ports import Clock, Event, Events, Fleet, Routes, StateStore
from swarmkeeper.services.drainer import Drainer, is_ending
from swarmkeeper.services.health import HEALTHY
from swarmkeeper.services.inventory import HAS_ENDED, Inventory
from swarmkeeper.services.notices import is_told, loss_of
from swarmkeeper.services.progress import Progress, is_due_soon
from swarmkeeper.services.sentry import Sentry
from swarmkeeper.services.transitions import stepped


class Recovery:
    """Goes on with a lost node, one step a call; every step may be repeated."""

    def __init__(
        self,
        *,
        fleet_name: str,
        store: StateStore,
        fleet: Fleet,
        routes: Routes,
        events: Events,
        clock: Clock,
        drainer: Drainer,
        sentry: Sentry,
        inventory: Inventory,
        policies: Mapping[PoolName, LossPolicy],
    ) -> None:
        self._fleet_name = fleet_name
        self._store = store
        self._fleet = fleet
        self._routes = routes
        self._events = events
        self._clock = clock
        self._drainer = drainer
        self._sentry = sentry
        self._inventory = inventory
        self._policies = policies

    def begin(self, node: Node) -> Progress:
        """Tell that the node is lost, and go on with it."""
        self._publish(Event.NODE_LOST, [{"node": node.id, "pool": node.pool, "reason": node.reason}])
        return self.go_on(node)

    def go_on(self, node: Node) -> Progress:
        """Take a LOST node, whose instance runs, one step further. Raises Unavailable to be retried."""
        if is_ending(node):
            if why := self._sentry.why_needed(node):
                return Progress(node.id, node.state, f"its instance is ending, and held: {why}")
            self._drainer.complete(node)  # there is nothing to drain
            return Progress(node.id, node.state, "its instance is ending", more_to_do=True)
        if self._sentry.is_back(node) and not self._is_ended_by_others(node):
            return self._take_back(node)
        if why := self._sentry.why_needed(node):
            return Progress(node.id, node.state, f"{node.reason}; not ended yet: {why}")
        if node.role is Role.WORKER:  # managers have no router
            self._routes.withdraw(node.id)
        held = self._store.containers_on(node.id)
        kept = kept_for_return(node, held)
        until = waits_until(node, kept, self._policies.get(node.pool, NORMAL))
        if until is not None and (now := self._clock.now()) < until:
            self._explain(held, node, f"{_is_lost(node)}, and its return is waited for")
            waiting = f"{node.reason}; waited for, with {len(kept)} that can't be moved"
            return Progress(node.id, node.state, waiting, more_to_do=is_due_soon(until, now))
        return self._end(node, held)

    def bury(self, node: Node) -> Progress:
        """The instance runs no longer: what stood on it is pending again, or reported where it has lost something.

        Raises Unavailable while the Swarm still shows the node ready.
        """
        held = self._drainer.note_saves(self._store.containers_on(node.id))
        self._drainer.remove_from_swarm(node)
        reason = node.reason or "its instance is gone"
        lost = [] if is_told(node, Event.CONTAINER_LOST) else _losing(node, held)
        details = [{**_facts(each), "node": node.id, **loss_of(each, reason)} for each in lost]
        self._publish(Event.CONTAINER_LOST, details)
        buried = self._drainer.bury(node, reason)
        if held:
            self._publish(Event.PENDING_RETRY, [{}])
        return Progress(node.id, buried.state, buried.reason)

    def _take_back(self, node: Node) -> Progress:
        """It answers before the fence took effect. What lives elsewhere by now goes from it before it serves again."""
        removed = self._inventory.clear_strays(node)
        held = self._store.containers_on(node.id)
        self._inventory.start_again(node, [each for each in held if _was_told_lost(each, node)])
        self._explain(held, node, "")
        if node.role is Role.WORKER:
            self._routes.restore(node.id)
        now = self._clock.now()
        returned = stepped(replace(node, suspected_at=None, health=HEALTHY, reason=""), Step.RETURN, now=now)
        if node.leaving is not None:
            returned = stepped(replace(returned, reason=node.leaving.note), Step.DRAIN, now=now)
        returned = self._store.save_node(returned)
        told = Event.NODE_READY if returned.state is NodeState.READY else Event.NODE_DRAINING
        self._publish(told, [{"node": node.id}])
        return Progress(node.id, returned.state, f"it is back; {len(removed)} old copies removed")

    def _end(self, node: Node, held: Sequence[Container]) -> Progress:
        """End the instance; the group replaces it unless the node was to go anyway."""
        # Claimed first: whoever has seen the node return at this moment loses the race, or we do.
        node = self._store.save_node(node)
        self._explain(held, node, f"{_is_lost(node)}; it starts elsewhere once that has ended")
        if node.leaving is not None and node.leaving.cause is LeaveCause.SCALE_IN and self._shrinks(node):
            return Progress(node.id, node.state, f"{node.reason}; ended, and not replaced")
        self._fleet.replace(node.id)
        return Progress(node.id, node.state, f"{node.reason}; ended, and replaced by its group")

    def _shrinks(self, node: Node) -> bool:
        try:
            self._fleet.terminate(node.id)
        except UnsafeAction:  # the group is at its least by now
            return False
        return True

    def _is_ended_by_others(self, node: Node) -> bool:
        """Whether the instance is on its way out: the event of its hook may be late."""
        instance = self._fleet.instance(node.id)
        if instance is None:
            return True
        listed = {item.id: item.lifecycle for item in self._fleet.group(instance.group).instances}
        return listed.get(node.id, "").startswith("Terminat")

    def _explain(self, held: Sequence[Container], node: Node, reason: str) -> None:
        """Say in the records of what runs there how its node stands; what is being moved has a lease to keep."""
        for each in held:
            is_settled = each.state is ContainerState.RUNNING and each.moving_to is None
            if not is_settled or each.reason in (reason, HAS_ENDED) or not (reason or _was_told_lost(each, node)):
                continue
            try:
                self._store.explain(each, reason=reason)
            except Conflict:  # it is being removed
                continue

    def _publish(self, event: Event, details: Sequence[Mapping[str, str]]) -> None:
        if details:
            self._events.publish(event, [{"fleet": self._fleet_name, **detail} for detail in details])


def _is_lost(node: Node) -> str:
    return f"its node {node.id} is lost"


def _was_told_lost(container: Container, node: Node) -> bool:
    """Whether it ran when its node was lost, and was waited for."""
    return container.reason.startswith(_is_lost(node))


def _losing(node: Node, held: Sequence[Container]) -> list[Container]:
    """Those that lose what they have written, or what they have written since it was saved."""
    return [*kept_for_return(node, held), *(each for each in held if loses_layer(node, each))]


def _facts(container: Container) -> dict[str, str]:
    return {"name": container.name, "tenant": container.request.tenant}
