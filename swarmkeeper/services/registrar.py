"""Bring instances into the Swarm and out of it, one resumable step a call.

Every entry point may be called twice, late or out of order: what to do follows from the node's record, never
from the event alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from swarmkeeper.domain.membership import JOINING_STATES, LeaveCause, NodeState, Step
from swarmkeeper.domain.model import Hook, Leaving, Node, NodeId, Role
from swarmkeeper.domain.pools import PoolPlan
from swarmkeeper.errors import NodeChanged, Unavailable
from swarmkeeper.ports import Clock, Fleet, StateStore
from swarmkeeper.services.admitting import RegistrarSettings, labels_of
from swarmkeeper.services.departures import Departures
from swarmkeeper.services.drainer import JOIN_HOOK, LEAVE_HOOK, Drainer, is_ending
from swarmkeeper.services.joiner import Joiner
from swarmkeeper.services.progress import Progress, is_due_soon
from swarmkeeper.services.recording import is_closed
from swarmkeeper.services.recovery import Recovery
from swarmkeeper.services.sentry import Look, Sentry
from swarmkeeper.services.transitions import stepped

ENDED_EARLY = "ended while it joined"
WARNED = frozenset({NodeState.READY, NodeState.DRAINING, NodeState.LOST})


@dataclass(frozen=True, slots=True)
class WaitingHook:
    """A lifecycle action as its event told it; `token` may be empty when the event was lost."""

    node_id: NodeId
    group: str
    token: str
    begun_at: float


class Registrar:
    """Use cases of the registrar function. Unavailable means: deliver the event again soon."""

    def __init__(
        self,
        *,
        store: StateStore,
        fleet: Fleet,
        clock: Clock,
        joiner: Joiner,
        drainer: Drainer,
        sentry: Sentry,
        recovery: Recovery,
        departures: Departures,
        settings: RegistrarSettings,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._clock = clock
        self._joiner = joiner
        self._drainer = drainer
        self._sentry = sentry
        self._recovery = recovery
        self._departures = departures
        self._settings = settings

    def launching(self, waiting: WaitingHook) -> Progress:
        """An instance waits in its launch hook."""
        plan = self._settings.plan_of_group(waiting.group)
        if plan is None:
            return _foreign(waiting)
        hook = Hook(waiting.group, JOIN_HOOK, waiting.token, waiting.begun_at + plan.launch_limit_s)
        node = self._store.node(waiting.node_id) or self._add(waiting.node_id, plan, hook)
        if node.state is NodeState.GONE:  # it was ended before it could join
            self._fleet.complete(hook, node.id, proceed=False)
            return Progress(node.id, node.state, "a tombstone refuses the launch")
        return self.advance(node.id)

    def terminating(self, waiting: WaitingHook) -> Progress:
        """An instance waits in its terminate hook, whoever ends it."""
        plan = self._settings.plan_of_group(waiting.group)
        if plan is None:
            return _foreign(waiting)
        hook = Hook(waiting.group, LEAVE_HOOK, waiting.token, waiting.begun_at + plan.drain_limit_s)
        node = self._store.node(waiting.node_id)
        if node is None:  # terminate came before launch: whatever comes later is refused
            self._refuse_member(waiting.node_id)
            node = self._add(waiting.node_id, plan, hook)
        if node.state is NodeState.GONE:
            self._fleet.complete(hook, node.id, proceed=True)
            return Progress(node.id, node.state, "nothing to drain")
        if is_closed(node):  # it would look empty
            raise Unavailable(f"{node.id}: {node.reason}")
        return self._told_to_end(node, hook)

    def warned(self, node_id: NodeId, cause: LeaveCause, *, by: float | None, note: str) -> Progress:
        """EC2 takes the instance back, or may soon: the node is drained, in the time that there is."""
        node = self._store.node(node_id)
        if node is None or node.role is Role.MANAGER or node.state not in WARNED:
            state = None if node is None else node.state
            return Progress(node_id, state, "ignored: no worker of this fleet in service")
        self._departures.ask(node_id, cause, note=note, by=by)
        return self.advance(node_id)

    def advance(self, node_id: NodeId) -> Progress:
        """Take the node as far as it can go now; unknown ones are adopted when their group waits for them."""
        node = self._store.node(node_id)
        if node is None:
            return self._adopt(node_id)
        if node.state is NodeState.GONE:
            return self._lay_to_rest(node)
        return self._missed(node) or self._step(node)

    def command_ended(self, node_id: NodeId, command_id: str) -> Progress:
        """`advance` on the word that a command has ended.

        Raises Unavailable where Systems Manager, asked at once, still says that it runs: the word would be lost.
        """
        progress = self.advance(node_id)
        node = self._store.node(node_id)
        if node is None or node.state not in JOINING_STATES or node.command is None or node.command.id != command_id:
            return progress
        raise Unavailable(f"{command_id} has ended, and is still said to run")

    def pull_ended(self, node_id: NodeId, command_id: str) -> Progress:
        """`command_ended` for a pull, which concerns a node that waits for it to be called ready.

        Else those whose layer was saved and that wait for it there, since they stand still meanwhile.
        """
        node = self._store.node(node_id)
        if node is not None and node.state is NodeState.JOINED:
            return self.command_ended(node_id, command_id)
        progress = Progress(node_id, None if node is None else node.state, "ignored: no pull of a join")
        if not self._settings.has_registry:
            return progress
        arriving = (each for each in self._store.containers_on(node_id) if each.moving_to == node_id and each.is_saved)
        for source in sorted({each.node for each in arriving if each.node is not None}):
            progress = self.advance(source)
        return progress

    def save_ended(self, node_id: NodeId, command_id: str) -> Progress:
        """`advance` on the word that a command has ended which saves the layer of what is being moved off the node.

        Raises Unavailable where Systems Manager, asked at once, still says that it runs.
        """
        if not self._waits_for(node_id, command_id):
            return Progress(node_id, None, "ignored: no move waits for it")
        progress = self.advance(node_id)
        if self._waits_for(node_id, command_id) and not progress.more_to_do:
            raise Unavailable(f"{command_id} has ended, and is still said to run")
        return progress

    def _waits_for(self, node_id: NodeId, command_id: str) -> bool:
        """Whether a container that is moved off the node waits for the command to save its layer."""
        saves = [each.save for each in self._store.containers_on(node_id) if each.moving_to is not None]
        return any(each and each.command_id == command_id and not (each.is_done or each.void) for each in saves)

    def _step(self, node: Node) -> Progress:
        if node.state in JOINING_STATES:
            # Told to end before, and whoever was told could not finish.
            return self._joiner.abandon(node, ENDED_EARLY) if is_ending(node) else self._joiner.join(node)
        if node.state is NodeState.LOST:
            return self._recovery.go_on(node)
        look = self._sentry.look(node)
        return self._silent(look) if look.silence else self._serve(look.node)

    def _silent(self, look: Look) -> Progress:
        """A node that neither the Swarm nor we hear: nothing is begun there."""
        if look.node.state is NodeState.LOST:
            return self._recovery.begin(look.node)
        soon = look.again_at is not None and is_due_soon(look.again_at, self._clock.now())
        return Progress(look.node.id, look.node.state, look.silence, more_to_do=soon, refused=look.refused)

    def _serve(self, node: Node) -> Progress:
        if node.state is NodeState.READY:
            self._drainer.settle_moves(node)
            return self._joiner.announce(node)
        if node.state is NodeState.DRAINING:
            drained, moves, more = self._drainer.drain(node)
            return Progress(node.id, drained.state, drained.reason, moves, more_to_do=more)
        left = self._drainer.leave(node)
        return Progress(node.id, left.state, left.reason)

    def _lay_to_rest(self, node: Node) -> Progress:
        """Finish what a burial began: hook, the Swarm's list, and an instance that stayed in service after all.

        A group may notice an instance's end after us, and the event of its terminate hook be lost.
        """
        self._drainer.complete(node)
        instance = self._fleet.instance(node.id)
        lifecycle = "" if instance is None else self._lifecycle(instance.group, node.id)
        if instance is not None and lifecycle == "Terminating:Wait":
            self._fleet.complete(Hook(instance.group, LEAVE_HOOK, "", self._clock.now()), node.id, proceed=True)
        if instance is not None and instance.running and lifecycle == "InService":
            self._fleet.terminate(node.id)
        self._drainer.remove_from_swarm(node)
        return Progress(node.id, node.state, "buried")

    def _told_to_end(self, node: Node, hook: Hook) -> Progress:
        if node.state in JOINING_STATES:
            node = self._store.save_node(replace(node, hook=hook))
            return self._joiner.abandon(node, ENDED_EARLY)
        if node.hook is None or node.hook.name != LEAVE_HOOK:
            now = self._clock.now()
            leaving = node.leaving or Leaving(LeaveCause.GROUP, since=now)
            told = replace(node, hook=hook, reason=node.reason or "ended by its group", leaving=leaving)
            if node.state is NodeState.READY:
                told = stepped(told, Step.DRAIN, now=now)
            node = self._store.save_node(told)
        return self._missed(node) or self._step(node)

    def _add(self, node_id: NodeId, plan: PoolPlan, hook: Hook) -> Node:
        """A new record; for a terminate hook it is a tombstone at once."""
        now = self._clock.now()
        instance = self._fleet.instance(node_id)
        if instance is None and hook.name == JOIN_HOOK:
            raise Unavailable(f"EC2 does not describe {node_id} yet")
        node = Node(
            id=node_id,
            pool=plan.pool.name,
            role=plan.pool.role,
            state=NodeState.LAUNCHING,
            created_at=now,
            state_since=now,
            address="" if instance is None else instance.address,
            slots=plan.pool.slots,
            labels=dict(plan.pool.labels) if instance is None else labels_of(plan.pool, instance),
            hook=hook,
            image_id="" if instance is None else instance.image_id,
        )
        try:
            self._store.add_node(node)
        except NodeChanged as changed:
            if changed.actual is None:
                raise
            return changed.actual
        return node if hook.name == JOIN_HOOK else self._drainer.bury(node, "ended before it joined")

    def _adopt(self, node_id: NodeId) -> Progress:
        """A node without a record: the event of its launch, or of an early end, was lost, or it is none of ours."""
        instance = self._fleet.instance(node_id)
        if instance is None or self._settings.plan_of_group(instance.group) is None:
            return Progress(node_id, None, "ignored: not an instance of this fleet")
        lifecycle = self._lifecycle(instance.group, node_id)
        waiting = WaitingHook(node_id, instance.group, "", self._clock.now())
        if not instance.running and lifecycle == "Pending:Wait":
            # A group doesn't look at the health of what its launch hook holds.
            self._fleet.complete(Hook(instance.group, JOIN_HOOK, "", self._clock.now()), node_id, proceed=False)
            return Progress(node_id, None, "its launch is given up: it ended before it was told of")
        if lifecycle == "Terminating:Wait" and not self._drainer.managers():
            return Progress(node_id, None, "ignored: nobody can tell whether it is a member")
        if lifecycle == "Terminating:Wait":
            return self.terminating(waiting)
        if lifecycle != "Pending:Wait":
            return Progress(node_id, None, f"ignored: it is {lifecycle}")
        return self.launching(waiting)

    def _refuse_member(self, node_id: NodeId) -> None:
        """Raise Unavailable for a node that serves in the Swarm: the table has lost its record, and what it holds."""
        if self._drainer.managers() and self._drainer.is_ready_in_swarm(node_id):
            raise Unavailable(f"{node_id} is ready in the Swarm and the table doesn't know it: it must be rebuilt")

    def _missed(self, node: Node) -> Progress | None:
        """What happened without an event: the instance is gone, or its terminate hook waits."""
        instance = self._fleet.instance(node.id)
        if instance is None and node.state in JOINING_STATES:
            return None  # EC2 may not describe it yet; the launch limit ends the wait
        if instance is None or not instance.running:
            self._joiner.forget(node)
            return self._recovery.bury(node)
        has_leave_hook = node.hook is not None and node.hook.name == LEAVE_HOOK
        if not has_leave_hook and self._lifecycle(instance.group, node.id) == "Terminating:Wait":
            return self.terminating(WaitingHook(node.id, instance.group, "", self._clock.now()))
        return None

    def _lifecycle(self, group: str, node_id: NodeId) -> str:
        listed = {item.id: item.lifecycle for item in self._fleet.group(group).instances}
        return listed.get(node_id, "not in its group")


def _foreign(waiting: WaitingHook) -> Progress:
    return Progress(waiting.node_id, None, f"ignored: group {waiting.group} is not of this fleet")
