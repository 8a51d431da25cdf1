"""The second half of a node's life: drained, out of the Swarm, buried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from swarmkeeper.domain.leaving import by_importance, ends_at_the_limit, is_for_size
from swarmkeeper.domain.membership import Step
from swarmkeeper.domain.model import Container, Node, NodeId, PoolName, Role
from swarmkeeper.domain.quorum import why_not_go
from swarmkeeper.errors import Unavailable, UnsafeAction
from swarmkeeper.ports import (
    Clock,
    Command,
    CommandStatus,
    Fleet,
    NodeCommands,
    StateStore,
    Swarm,
)
from swarmkeeper.services.demoting import Demoter, SteppedDown
from swarmkeeper.services.eviction import Evictor
from swarmkeeper.services.managers import Managers, votes_in
from swarmkeeper.services.mover import Move, Mover
from swarmkeeper.services.notices import Notices
from swarmkeeper.services.sending import COMMAND_TRIES, Sender
from swarmkeeper.services.transitions import stepped

JOIN_HOOK = "join"
LEAVE_HOOK = "leave"
TOMBSTONE_S = 7 * 24 * 3600.0
"""How long a tombstone refuses late events; Auto Scaling's longest hook lasts 48 hours."""
MOVES_A_STEP = 2
"""Each may take 10 s to stop, and the function ends after less than a minute."""
HAS_A_VOTE = "a manager that is to leave"
MOVES_AT_ONCE = 8
"""Side by side off a node whose instance ends in two minutes, since each may take 10 s to stop."""
LEAVE_LIMIT_S = 120.0
"""A leave command that has not ended by then is given up: the instance is about to end anyway."""


class Drainer:
    """Drains, leaves and buries; each call takes the node one step further and may be repeated."""

    def __init__(
        self,
        *,
        store: StateStore,
        fleet: Fleet,
        swarm: Swarm,
        managers: Managers,
        commands: NodeCommands,
        clock: Clock,
        mover: Mover,
        evictor: Evictor,
        notices: Notices,
        drain_limits_s: Mapping[PoolName, float],
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._swarm = swarm
        self._managers = managers
        self._demoter = Demoter(store=store, swarm=swarm, managers=managers)
        self._commands = commands
        self._sender = Sender(store=store, commands=commands, clock=clock)
        self._clock = clock
        self._mover = mover
        self._evictor = evictor
        self._notices = notices
        self._drain_limits_s = drain_limits_s

    def drain(self, node: Node) -> tuple[Node, tuple[Move, ...], bool]:
        """Empty the node: move what is movable, wait for the rest up to the pool's limit; then end or leave.

        Returns the node, what was moved, and whether to come again soon: a step moves a few only, since a container
        may take its time to stop and the function's own time ends; and where little time is left each room counts.
        """
        self.keep_alive(node)
        node = self._notices.of_wait(
            node, self._store.containers_on(node.id), until=self._deadline(node), ends=_must_end(node)
        )
        moves, left = self._move_some(node)
        if left:
            return node, moves, True
        remaining = self._store.containers_on(node.id)
        if remaining and self._clock.now() < self._deadline(node):
            return node, moves, _must_end_soon(node)
        if remaining and not _must_end(node):
            return self._give_up(node, remaining), moves, False
        if self._mover.finish_arrivals(remaining, node):
            return node, moves, True
        node = self._notices.of_loss(node, self.note_saves(remaining))
        self._evictor.take_off(node)
        if node.role is Role.MANAGER:
            node, soon = self._end_manager(node)
            return node, moves, soon
        return self._end(node), moves, False

    def _move_some(self, node: Node) -> tuple[tuple[Move, ...], bool]:
        """Try the movable containers in turn until a few were stopped; what can't move costs little time."""
        moves: list[Move] = []
        held = [each for each in self._store.containers_on(node.id) if each.request.movable and each.node == node.id]
        ordered, at_once = by_importance(held), MOVES_AT_ONCE if _must_end_soon(node) else 1
        for begin in range(0, len(ordered), at_once):
            if sum(move.moved or move.has_stopped for move in moves) >= MOVES_A_STEP:
                return tuple(moves), True
            moves += self._move_side_by_side(ordered[begin : begin + at_once], node)
        return tuple(moves), False

    def _move_side_by_side(self, containers: Sequence[Container], node: Node) -> list[Move]:
        if len(containers) == 1:
            return [self._mover.move(containers[0], node)]
        with ThreadPoolExecutor(len(containers)) as threads:
            return list(threads.map(lambda container: self._mover.move(container, node), containers))

    def note_saves(self, containers: Sequence[Container]) -> tuple[Container, ...]:
        """The records with what their commands have saved, for those that were moving. Raises Unavailable."""
        return self._mover.note_saves(containers)

    def settle_moves(self, node: Node) -> None:
        """Undo the moves off a node that isn't drained any more. Raises Unavailable to be retried."""
        for container in self._store.containers_on(node.id):
            if container.moving_to is not None and container.node == node.id:
                self._mover.undo(container, node)

    def leave(self, node: Node) -> Node:
        """Go on with leaving: command, out of the Swarm's list, tombstone, hook. Raises Unavailable to be retried."""
        status = self._leave_status(node)
        if status is CommandStatus.RUNNING:
            raise Unavailable(f"{node.id} is still leaving the Swarm")
        try:
            self.remove_from_swarm(node)
        except Unavailable:
            if status is CommandStatus.FAILED:
                self._leave_again(node)
            raise
        return self.bury(node, node.reason or "left")

    def bury(self, node: Node, reason: str) -> Node:
        """Leave a tombstone and complete the hook; containers that still stand here become pending again."""
        self._evictor.forget(node)
        buried = self._store.bury_node(
            replace(node, reason=reason, state_since=self._clock.now()), expires_at=self._clock.now() + TOMBSTONE_S
        )
        self.complete(buried)
        return buried

    def complete(self, node: Node) -> None:
        """Complete a buried node's hook: a join is abandoned, a leave goes on. Harmless to repeat."""
        if node.hook is not None:
            self._fleet.complete(node.hook, node.id, proceed=node.hook.name == LEAVE_HOOK)

    def remove_from_swarm(self, node: Node) -> None:
        """Take the node off the Swarm's list, a manager's vote first.

        Raises Unavailable while the Swarm still shows it ready, and while the other managers are no quorum without it.
        """
        if not self._managers.in_service(other_than=node):  # the last manager itself goes: its list goes with it
            return
        everybody = self._managers.nodes(other_than=node)
        for listed in [each for each in everybody if each.host_name == node.id]:
            if listed.ready:
                raise Unavailable(f"the Swarm still shows {node.id} ready")
            if listed.reachable is not None and (why := why_not_go(node.id, votes_in(everybody))):
                raise Unavailable(f"manager {node.id} stays listed: {why}")
            self._managers.ask(partial(self._remove, listed.id), other_than=node)

    def _remove(self, swarm_id: str, manager: Node) -> None:
        self._swarm.remove(manager, swarm_id)

    def is_ready_in_swarm(self, node_id: NodeId) -> bool:
        """Whether the Swarm shows a node of that host name ready. Raises Unavailable."""
        return any(listed.host_name == node_id and listed.ready for listed in self._managers.nodes())

    def managers(self, *, other_than: Node | None = None) -> tuple[Node, ...]:
        """The fleet's managers in service."""
        return self._managers.in_service(other_than=other_than)

    def _deadline(self, node: Node) -> float:
        limit = node.state_since + self._drain_limits_s.get(node.pool, 0.0)
        by = None if node.leaving is None else node.leaving.by
        return limit if by is None else min(limit, by)

    def keep_alive(self, node: Node) -> None:
        """Have the node's hook wait on."""
        if node.hook is not None:
            self._fleet.heartbeat(node.hook, node.id)

    def _give_up(self, node: Node, remaining: tuple[Container, ...]) -> Node:
        """A drain that we wanted and that ran out of time is cancelled: the node works on."""
        self.settle_moves(node)
        return self._back_to_work(node, f"drain given up: {len(remaining)} containers could not be moved in time")

    def _back_to_work(self, node: Node, reason: str) -> Node:
        return self._store.save_node(
            stepped(replace(node, reason=reason, leaving=None), Step.UNDRAIN, now=self._clock.now())
        )

    def _end(self, node: Node) -> Node:
        """End an empty node's instance, or, once its terminate hook waits, have it leave the Swarm."""
        if is_ending(node):
            return self._send_leave(node)
        if node.hook is not None:  # its launch was let through, only the note of it is missing
            self._fleet.complete(node.hook, node.id, proceed=True)
        # Claimed first: a scaler that takes the node back at this moment makes this write fail, not a tenant.
        node = self._store.save_node(replace(node, hook=None))
        try:
            self._fleet.terminate(node.id)
        except UnsafeAction as refusal:
            if is_for_size(node):
                return self._back_to_work(node, f"its group would not end it: {refusal}")
            self._fleet.replace(node.id)
        return node

    def step_down(self, node: Node) -> SteppedDown:
        """Take a manager's vote away unless the others would be no quorum without it."""
        return self._demoter.step_down(node)

    def _end_manager(self, node: Node) -> tuple[Node, bool]:
        """End a manager once it has no vote; until then its record says why. Also whether to come again soon."""
        stepped_down = self.step_down(node)
        if not stepped_down.why:
            return self._end(node), False
        reason = f"{HAS_A_VOTE}: {stepped_down.why}"
        if node.reason != reason:
            node = self._store.save_node(replace(node, reason=reason))
        return node, stepped_down.soon

    def _send_leave(self, node: Node, *, attempt: int = 1) -> Node:
        """Start the leave command; an instance that can't be commanded any more just leaves the list."""
        try:
            return self._sender.send(node, Command.LEAVE, {}, Step.LEAVE, attempt=attempt)
        except Unavailable:
            # The agent is gone or was never there: the Swarm will show the node down once it has ended. It may also
            # be AWS that did not answer: as long as the Swarm shows the node ready, `leave` tries again.
            return self._store.node(node.id) or node

    def _leave_again(self, node: Node) -> None:
        """Send a leave command that was never sent, or that has failed less often than a command may."""
        command = node.command
        failed = 0 if command is None else command.attempt - command.is_claim
        if failed < COMMAND_TRIES:
            self._send_leave(node, attempt=failed + 1)

    def _leave_status(self, node: Node) -> CommandStatus:
        """How the leave command goes; one that was never sent, or isn't heard of in time, counts as failed."""
        command = node.command
        if command is None or command.kind != Command.LEAVE:
            return CommandStatus.FAILED
        if command.is_claim:
            return CommandStatus.RUNNING if self._sender.is_being_sent(command) else CommandStatus.FAILED
        if self._clock.now() > command.sent_at + LEAVE_LIMIT_S:
            return CommandStatus.FAILED
        return self._commands.result(command.id, node.id).status


def _must_end(node: Node) -> bool:
    """Whether what stands there at the drain's limit is taken off, rather than the drain given up."""
    return is_ending(node) or ends_at_the_limit(node)


def _must_end_soon(node: Node) -> bool:
    return node.leaving is not None and node.leaving.by is not None


def is_ending(node: Node) -> bool:
    """Whether the instance waits in its terminate hook: it will end, whatever we do."""
    return node.hook is not None and node.hook.name == LEAVE_HOOK
