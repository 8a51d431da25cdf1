"""The first half of a node's life, step by step: certified, joined, checked in the Swarm itself, let into service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from swarmkeeper.domain.joining import TRIES, spread_s
from swarmkeeper.domain.membership import JOINING_STATES, NodeState, Step
from swarmkeeper.domain.model import Node, NodeId, PoolName, Role, SentCommand
from swarmkeeper.domain.quorum import Votes, why_not_come
from swarmkeeper.errors import AgentNotReady, InvalidInput, NoLeader, NoManager, Unavailable
from swarmkeeper.ports import (
    Clock,
    Command,
    CommandResult,
    CommandStatus,
    Event,
    Events,
    Fleet,
    NodeCommands,
    StateStore,
)
from swarmkeeper.services.admitting import Admitter, RegistrarSettings
from swarmkeeper.services.certifying import Certifying
from swarmkeeper.services.drainer import JOIN_HOOK, Drainer
from swarmkeeper.services.launches import Launches
from swarmkeeper.services.managers import Managers
from swarmkeeper.services.progress import Progress
from swarmkeeper.services.sending import Sender
from swarmkeeper.services.slots import FIRST_MANAGER, ordered, ordered_pool, settle
from swarmkeeper.services.transitions import stepped
from swarmkeeper.services.turns import Change, Turns

GIVE_UP_MARGIN_S = 20.0
"""We give up this long before the hook would, so that the reason is ours."""
SWARM_PORT = 2377
MEMBERS = frozenset({NodeState.JOINED, NodeState.READY, NodeState.DRAINING, NodeState.LOST, NodeState.LEAVING})
"""States of nodes that are in the Swarm, or may be."""
ENTERING = frozenset({NodeState.JOINING, NodeState.JOINED})
"""States in which a manager that is not in service yet may have its vote already."""


class Joiner:
    """Joins nodes; each call takes the node as far as it can go now and may be repeated."""

    def __init__(
        self,
        *,
        store: StateStore,
        fleet: Fleet,
        commands: NodeCommands,
        certifying: Certifying,
        admitter: Admitter,
        launches: Launches,
        events: Events,
        clock: Clock,
        drainer: Drainer,
        managers: Managers,
        settings: RegistrarSettings,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._commands = commands
        self._sender = Sender(store=store, commands=commands, clock=clock)
        self._certifying = certifying
        self._admitter = admitter
        self._launches = launches
        self._events = events
        self._clock = clock
        self._drainer = drainer
        self._managers = managers
        self._turns = Turns(store=store)
        self._settings = settings
        self._limits = settings.limits

    def join(self, node: Node) -> Progress:
        """Take a joining node one step on; the join is abandoned when its hook would end before it could."""
        if node.hook is not None and self._clock.now() > node.hook.deadline - GIVE_UP_MARGIN_S:
            return self.abandon(node, f"the launch limit ran out while it was {node.state}: {_awaited(node)}")
        try:
            if node.state is NodeState.LAUNCHING:
                return self._begin(node)
            return self._admit(node) if node.state is NodeState.JOINED else self._after_command(node)
        except InvalidInput as error:
            return self.abandon(node, str(error))

    # The first command, once the agent takes one.

    def _begin(self, node: Node) -> Progress:
        try:
            return self._request_certificate(node, attempt=1)
        except AgentNotReady as error:
            # At least half the launch: where that is long, as for Windows, the machine takes its time.
            limit_s = max(self._limits.agent_s, self._settings.plans[node.pool].launch_limit_s / 2)
            if self._clock.now() <= node.created_at + limit_s:
                raise
            current = self._store.node(node.id) or node  # the claim to send was made and given back
            return self.abandon(current, f"not commanded within {limit_s:g} s: {error}")

    def _request_certificate(self, node: Node, *, attempt: int) -> Progress:
        self._certifying.prepare()
        return self._send(node, Command.CSR, {}, Step.REQUEST_CERTIFICATE, attempt)

    # Commands that were sent, and those that must be sent again.

    def _after_command(self, node: Node) -> Progress:
        """Go on once the command of this state has ended; a command that is never heard of counts as failed."""
        sent = node.command
        if sent is None:
            raise Unavailable(f"{node.id} has no command on record")
        if sent.is_claim:
            return self._take_over(node, sent)
        limit_s = self._limits.certificate_s if sent.kind == Command.CSR else self._limits.join_s
        result = self._result(node, sent, limit_s)
        if result is None:
            return Progress(node.id, node.state, f"{sent.kind} is still running")
        if result.status is not CommandStatus.SUCCEEDED:
            return self._retry_or_abandon(node, sent, _last_line(result))
        if sent.kind == Command.CSR:
            self._certifying.keep_request(node, result.output)
            return self._send_join(node, attempt=1)
        return self._enter(node, result)

    def _result(self, node: Node, sent: SentCommand, limit_s: float) -> CommandResult | None:
        """How the command ended; None while it may run."""
        result = self._commands.result(sent.id, node.id)
        if result.status is not CommandStatus.RUNNING:
            return result
        if self._clock.now() < sent.sent_at + limit_s:
            return None
        return CommandResult(CommandStatus.FAILED, error=f"not heard of for {limit_s:g} s")

    def _take_over(self, node: Node, claim: SentCommand) -> Progress:
        """Send what was claimed but not sent: AWS refused it, or the claiming call has died.

        Raises Unavailable while that call may live. An event that the command's end has caused comes again then,
        and finds the command's id.
        """
        if self._sender.is_being_sent(claim):
            raise Unavailable(f"{claim.kind} is being sent to {node.id} by another call")
        if claim.kind == Command.CSR and claim.attempt == 1:
            return self._begin(node)
        return self._send_again(node, claim, attempt=claim.attempt)

    def _retry_or_abandon(self, node: Node, sent: SentCommand, why: str) -> Progress:
        if sent.attempt >= TRIES:
            about = f"{sent.kind} {sent.subject}".strip()
            return self.abandon(node, f"{about} failed {sent.attempt} times: {why}")
        return self._send_again(node, sent, attempt=sent.attempt + 1)

    def _send_again(self, node: Node, sent: SentCommand, *, attempt: int) -> Progress:
        if sent.kind == Command.CSR:
            return self._request_certificate(node, attempt=attempt)
        if sent.kind == Command.PULL:
            return self._pull(node, sent.subject, attempt=attempt)
        if not self._certifying.has_request(node):
            return self.abandon(node, "its signing request is no longer known")
        return self._send_join(node, attempt=attempt)

    def _send(
        self, node: Node, command: Command, parameters: Mapping[str, str], step: Step, attempt: int, subject: str = ""
    ) -> Progress:
        stored = self._sender.send(node, command, parameters, step, attempt=attempt, subject=subject)
        command_id = "" if stored.command is None else stored.command.id
        return Progress(node.id, stored.state, f"{command} sent ({command_id}, try {attempt})")

    # Into the Swarm.

    def _send_join(self, node: Node, *, attempt: int) -> Progress:
        return self._send(node, Command.JOIN, self._join_parameters(node, attempt), Step.SEND_JOIN, attempt)

    def _join_parameters(self, node: Node, attempt: int) -> dict[str, str]:
        certified = self._certifying.parameters(node)
        managers = self._managers_to_join(node)
        joining = sum(each.state in JOINING_STATES for each in self._store.nodes())
        return certified | {
            "mode": "join" if managers else self._beginning(node),
            "role": node.role.value,
            "managers": ",".join(f"{manager.address}:{SWARM_PORT}" for manager in managers),
            "address": node.address,
            "spread": str(spread_s(joining, attempt)),
            "pool": str(node.pool),
        }

    def _managers_to_join(self, node: Node) -> tuple[Node, ...]:
        """Those that can let it in; none for the one manager that the conditional write elected to begin the Swarm.

        Raises NoManager while there is no ready manager, NoLeader while nobody could let it in, so that no try is
        wasted, and Unavailable while a manager must wait for its turn.
        """
        managers = self._managers.in_service(other_than=node)
        if managers:
            votes = self._managers.votes(other_than=node)
            if node.role is Role.MANAGER:
                self._await_turn(node, votes)
            # One that is dead is the one that an engine may try first.
            return tuple(each for each in managers if votes.get(each.id)) or managers
        if node.role is Role.MANAGER and self._elect(node):
            return ()
        raise NoManager("no manager is ready yet")

    def _await_turn(self, node: Node, votes: Votes) -> None:
        """Raise Unavailable while one manager more could cost the quorum, or another one comes or goes."""
        why = why_not_come(node.id, votes) or self._turns.take(node, Change.JOIN)
        if why:
            raise Unavailable(f"{node.id} can't become a manager yet: {why}")

    def _beginning(self, node: Node) -> str:
        """How the one manager that may do so begins: anew, or with the state that its slot has kept."""
        fact = self._store.fact(FIRST_MANAGER)
        if fact == ordered(node.pool):
            return "recover"
        if fact != node.id:
            raise NoManager("another manager begins the Swarm")
        return "init"

    def _elect(self, node: Node) -> bool:
        """Whether this node begins the Swarm; the election is repeated when the elected one never got there.

        Raises NoManager for others than the one in the slot where recovery is ordered.
        """
        elected = self._store.set_fact_once(FIRST_MANAGER, node.id)
        if elected == node.id:
            return True
        if (pool := ordered_pool(elected)) is not None:
            self._refuse_beside_recovery(node, pool)
            return True
        other = self._store.node(NodeId(elected))
        if other is None or other.state is NodeState.GONE:
            self._refuse_a_second_swarm(node)
            self._store.replace_fact(FIRST_MANAGER, expected=elected, value=node.id)
            return True
        return False

    def _refuse_beside_recovery(self, node: Node, pool: PoolName) -> None:
        """Raise NoManager for a node that is not the slot's only one; EC2 lets no two have it at a time."""
        others = [each.id for each in self._store.nodes() if each.pool == pool and each.id != node.id]
        if node.pool != pool or others:
            raise NoManager(
                f"the Swarm is to be recovered in pool {pool}{''.join(f', where {one} is' for one in others)}"
            )

    def _refuse_a_second_swarm(self, node: Node) -> None:
        """Raise NoManager where a Swarm that lost its managers has nodes left: a new one would leave them out."""
        left = [each.id for each in self._store.nodes() if each.id != node.id and each.state in MEMBERS]
        if left:
            raise NoManager(f"all managers are lost, and their Swarm has {len(left)} nodes left (docs/operations.md)")

    def _enter(self, node: Node, result: CommandResult) -> Progress:
        """The join command has succeeded: what is left is to see that it is so, and what a node needs to serve."""
        entered = stepped(replace(node, swarm_id=_swarm_id(result)), Step.ENTER, now=self._clock.now())
        return self._admit(self._store.save_node(entered))

    # Into service.

    def _admit(self, node: Node) -> Progress:
        """Go on with a member: images, labels, record, hook. Raises Unavailable while the Swarm doesn't show it."""
        sent = node.command
        if sent is not None and sent.kind == Command.PULL:
            waits = self._after_pull(node, sent)
            if waits is not None:
                return waits
        try:
            shown = self._admitter.shown(node)
            missing = self._admitter.missing_image(node)
        except (NoLeader, NoManager):  # it says nothing about this node; its launch limit ends the wait
            raise
        except Unavailable as error:
            if self._clock.now() <= node.state_since + self._ready_limit_s(node):
                raise
            return self._join_again(node, error)
        if missing is not None:
            return self._pull(node, missing, attempt=1)
        ready = self._admitter.admit(node, shown)
        self.forget(node)
        return self.announce(ready)

    def _ready_limit_s(self, node: Node) -> float:
        """Since the last step was taken: a pull's begins when it is sent, and what follows it has its time besides."""
        has_pulled = node.command is not None and node.command.kind == Command.PULL
        return self._limits.ready_s + (self._limits.image_s if has_pulled else 0.0)

    def _join_again(self, node: Node, error: Unavailable) -> Progress:
        """The command said that it joined, and it doesn't come up: a restart of the join may mend it."""
        sent = node.command
        if sent is None or sent.kind != Command.JOIN:
            return self.abandon(node, f"it does not stay ready: {error}")
        return self._retry_or_abandon(node, sent, str(error))

    def _pull(self, node: Node, image: str, *, attempt: int) -> Progress:
        return self._send(node, Command.PULL, {"image": image}, Step.PULL_IMAGE, attempt, subject=image)

    def _after_pull(self, node: Node, sent: SentCommand) -> Progress | None:
        """What is to be waited for or done about the pull; None when the image is there."""
        if sent.is_claim:
            return self._take_over(node, sent)
        result = self._result(node, sent, self._limits.image_s)
        if result is None:
            return Progress(node.id, node.state, f"{sent.subject} is being pulled ({sent.id})")
        if result.status is not CommandStatus.SUCCEEDED:
            return self._retry_or_abandon(node, sent, _last_line(result))
        if self._admitter.missing_image(node) == sent.subject:
            return self._retry_or_abandon(node, sent, "it was pulled, yet the engine says that it lacks it")
        return None

    def announce(self, node: Node) -> Progress:
        """Let the ready instance into service and tell placement; nothing to do when both were done."""
        if node.hook is None or node.hook.name != JOIN_HOOK:
            return Progress(node.id, node.state, "in service")
        settle(self._store, node)
        self._fleet.complete(node.hook, node.id, proceed=True)
        self._events.publish(Event.NODE_READY, [{"fleet": self._settings.fleet, "node": node.id}])
        self._launches.ready(node)
        # Reservations move the totals, not the epoch, so this write meets only other registrars.
        self._store.save_node(replace(node, hook=None))
        return Progress(node.id, node.state, "ready and in service")

    def forget(self, node: Node) -> None:
        """Nothing that was kept for its join is needed any more."""
        self._certifying.forget(node)

    def abandon(self, node: Node, reason: str) -> Progress:
        """Undo a join: out of the Swarm, a tombstone, the hook ABANDONed, the failure counted once.

        Raises Unavailable, with the hook kept alive, while a manager's vote can't be taken away.
        """
        if node.role is Role.MANAGER and node.state in ENTERING:
            self._drainer.keep_alive(node)  # first, since nobody may answer what is asked now
        if why := self._why_voting(node):
            raise Unavailable(f"{node.id} is not given up yet ({reason}): {why}")
        try:
            self._drainer.remove_from_swarm(node)
        except Unavailable:
            # It still looks alive; once its instance has ended, the check of a buried node removes the ghost.
            reason = f"{reason} (still listed in the Swarm)"
        self.forget(node)
        # Counted and told before the burial, so that a crash in between repeats rather than forgets it.
        if node.hook is None or node.hook.name == JOIN_HOOK:
            self._launches.abandoned(node, reason)
        buried = self._drainer.bury(node, reason)
        return Progress(node.id, buried.state, reason)

    def _why_voting(self, node: Node) -> str:
        """Why a manager whose join is given up has a vote, or may have one any moment; "" when it may end.

        Beside a single manager its end would cost the quorum as soon as it has joined. Where no other manager is left
        nobody can be asked.
        """
        if node.role is Role.WORKER or node.state not in ENTERING or not self._managers.in_service(other_than=node):
            return ""
        return "its join command is still running" if self._is_entering(node) else self._drainer.step_down(node).why

    def _is_entering(self, node: Node) -> bool:
        sent = node.command
        if sent is None or sent.kind != Command.JOIN:
            return False
        if sent.is_claim:
            return self._sender.is_being_sent(sent)
        return self._result(node, sent, self._limits.join_s) is None


def _awaited(node: Node) -> str:
    """What a node that got no further was waiting for."""
    if node.command is not None and node.command.is_claim:
        return f"{node.command.kind} could not be sent"
    return node.reason or "no answer"


def _swarm_id(result: CommandResult) -> str:
    """The Swarm's id of the node from the last line of the join command; empty when it can't be read."""
    try:
        said = json.loads(_last_line(result))
    except json.JSONDecodeError:
        return ""
    return str(said.get("node_id", "")) if isinstance(said, dict) else ""


def _last_line(result: CommandResult) -> str:
    text = result.output if result.status is CommandStatus.SUCCEEDED else result.error or result.output
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "no output"
