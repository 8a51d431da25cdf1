"""The first half of a node's life: certified, joined, checked in the Swarm itself, let into service."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from swarmkeeper.domain.membership import NodeState, Step
from swarmkeeper.domain.model import Node, NodeId, Pool, PoolName, Resources, Role, SentCommand
from swarmkeeper.domain.placement.labels import node_labels
from swarmkeeper.domain.pools import PoolPlan
from swarmkeeper.domain.scaling.failures import after_abandon, after_ready
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.errors import Conflict, InvalidInput, InvariantBroken, Unavailable
from swarmkeeper.ports import (
    Certificates,
    Clock,
    Command,
    CommandResult,
    CommandStatus,
    EngineFacts,
    Engines,
    Event,
    Events,
    Fleet,
    InstanceFacts,
    JoinTokens,
    NodeCommands,
    StateStore,
    Swarm,
    SwarmNode,
)
from swarmkeeper.services.drainer import JOIN_HOOK, Drainer
from swarmkeeper.services.progress import Progress
from swarmkeeper.services.sending import COMMAND_TRIES, Sender
from swarmkeeper.services.transitions import stepped

COMMAND_LIMIT_S = 540.0
"""A command whose end was never reported is taken as failed after this time."""
GIVE_UP_MARGIN_S = 20.0
"""We give up this long before the hook would, so that the reason is ours."""
FIRST_MANAGER = "first-manager"
"""The fact that elects the node which runs `swarm init`."""
SWARM_PORT = 2377
CLAIM_TRIES = 5


@dataclass(frozen=True, slots=True)
class RegistrarSettings:
    """What the operator configured."""

    fleet: str
    network: str
    network_subnet: str
    plans: Mapping[PoolName, PoolPlan]

    def plan_of_group(self, group: str) -> PoolPlan | None:
        """The pool behind an Auto Scaling group; None for a foreign group."""
        return next((plan for plan in self.plans.values() if plan.pool.group == group), None)


class Joiner:
    """Joins nodes; each call takes the node as far as it can go now and may be repeated."""

    def __init__(
        self,
        *,
        store: StateStore,
        fleet: Fleet,
        engines: Engines,
        swarm: Swarm,
        commands: NodeCommands,
        certificates: Certificates,
        tokens: JoinTokens,
        events: Events,
        clock: Clock,
        drainer: Drainer,
        settings: RegistrarSettings,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._engines = engines
        self._swarm = swarm
        self._commands = commands
        self._sender = Sender(store=store, commands=commands, clock=clock)
        self._certificates = certificates
        self._tokens = tokens
        self._events = events
        self._clock = clock
        self._drainer = drainer
        self._settings = settings

    def join(self, node: Node) -> Progress:
        """Take a joining node one step on; the join is abandoned when its hook would end before it could."""
        if node.hook is not None and self._clock.now() > node.hook.deadline - GIVE_UP_MARGIN_S:
            return self.abandon(node, f"the launch limit ran out while it was {node.state}: {_awaited(node)}")
        try:
            if node.state is NodeState.LAUNCHING:
                return self._request_certificate(node, attempt=1)
            return self._after_command(node)
        except InvalidInput as error:
            return self.abandon(node, str(error))

    def _request_certificate(self, node: Node, *, attempt: int) -> Progress:
        self._certificates.ensure()
        return self._send(node, Command.CSR, {}, Step.REQUEST_CERTIFICATE, attempt)

    def _send_join(self, node: Node, *, attempt: int) -> Progress:
        parameters = self._join_parameters(node)
        return self._send(node, Command.JOIN, parameters, Step.SEND_JOIN, attempt)

    def _send(self, node: Node, command: Command, parameters: Mapping[str, str], step: Step, attempt: int) -> Progress:
        stored = self._sender.send(node, command, parameters, step, attempt=attempt)
        command_id = "" if stored.command is None else stored.command.id
        return Progress(node.id, stored.state, f"{command} sent ({command_id}, try {attempt})")

    def _after_command(self, node: Node) -> Progress:
        """Go on once the command of this state has ended; a command that is never heard of counts as failed."""
        sent = node.command
        if sent is None:
            raise Unavailable(f"{node.id} has no command on record")
        if sent.is_claim:
            return self._take_over(node, sent)
        result = self._commands.result(sent.id, node.id)
        if result.status is CommandStatus.RUNNING and self._clock.now() < sent.sent_at + COMMAND_LIMIT_S:
            return Progress(node.id, node.state, f"{sent.kind} is still running")
        if result.status is not CommandStatus.SUCCEEDED:
            return self._retry_or_abandon(node, sent, result)
        return self._certified(node, result) if sent.kind == Command.CSR else self._joined(node, result)

    def _take_over(self, node: Node, claim: SentCommand) -> Progress:
        """Send what was claimed but not sent: AWS refused it, or the claiming call has died.

        Raises Unavailable while that call may live. An event that the command's end has caused comes again then,
        and finds the command's id.
        """
        if self._sender.is_being_sent(claim):
            raise Unavailable(f"{claim.kind} is being sent to {node.id} by another call")
        return self._send_again(node, claim.kind, attempt=claim.attempt)

    def _retry_or_abandon(self, node: Node, sent: SentCommand, result: CommandResult) -> Progress:
        if sent.attempt >= COMMAND_TRIES:
            return self.abandon(node, f"{sent.kind} failed {sent.attempt} times: {_last_line(result)}")
        return self._send_again(node, sent.kind, attempt=sent.attempt + 1)

    def _send_again(self, node: Node, kind: str, *, attempt: int) -> Progress:
        if kind == Command.CSR:
            return self._request_certificate(node, attempt=attempt)
        if self._store.fact(_csr_fact(node.id)) is None:
            return self.abandon(node, "its signing request is no longer known")
        return self._send_join(node, attempt=attempt)

    def _certified(self, node: Node, result: CommandResult) -> Progress:
        self._store.set_fact_once(_csr_fact(node.id), result.output)
        return self._send_join(node, attempt=1)

    def _join_parameters(self, node: Node) -> dict[str, str]:
        certificate = self._certificate(node)
        manager = self._first_manager(node)
        return {
            "mode": "init" if manager is None else "join",
            "role": node.role.value,
            "certificate": base64.b64encode(certificate.encode()).decode(),
            "authority": base64.b64encode(self._certificates.authority().encode()).decode(),
            "managers": "" if manager is None else f"{manager.address}:{SWARM_PORT}",
            "address": node.address,
        }

    def _certificate(self, node: Node) -> str:
        """The node's certificate, signed once: a join that is repeated, or sent twice, must change nothing there."""
        kept = self._store.fact(_certificate_fact(node.id))
        if kept is not None:
            return kept
        csr = self._store.fact(_csr_fact(node.id))
        if csr is None:
            raise InvariantBroken(f"the signing request of {node.id} is not stored")
        signed = self._certificates.sign(csr, node_id=node.id, address=node.address)
        return self._store.set_fact_once(_certificate_fact(node.id), signed)

    def _first_manager(self, node: Node) -> Node | None:
        """The manager to join; None for the one manager that the conditional write elected to begin the Swarm.

        Raises Unavailable while there is no ready manager.
        """
        manager = self._drainer.manager(other_than=node)
        if manager is not None:
            return manager
        if node.role is Role.MANAGER and self._elect(node):
            return None
        raise Unavailable("no manager is ready yet")

    def _elect(self, node: Node) -> bool:
        """Whether this node runs `swarm init`; the election is repeated when the elected one never got there."""
        elected = self._store.set_fact_once(FIRST_MANAGER, node.id)
        if elected == node.id:
            return True
        other = self._store.node(NodeId(elected))
        if other is None or other.state is NodeState.GONE:
            self._store.replace_fact(FIRST_MANAGER, expected=elected, value=node.id)
            return True
        return False

    def _joined(self, node: Node, result: CommandResult) -> Progress:
        """The join command succeeded: check in the Swarm itself, label, register, let the instance in."""
        manager = self._drainer.manager(other_than=node) or (node if node.role is Role.MANAGER else None)
        if manager is None:
            raise Unavailable("no manager is ready yet")
        listed = self._listed(manager, node, _swarm_id(result))
        plan = self._settings.plans[node.pool]
        instance = self._fleet.instance(node.id)
        if instance is None:
            raise Unavailable(f"EC2 does not describe {node.id}")
        engine = self._engines.facts(node)
        labels = node_labels(labels_of(plan.pool, instance), engine.labels)
        self._swarm.label(manager, listed.id, labels)
        if node.role is Role.MANAGER:
            self._swarm.ensure_network(manager, self._settings.network, self._settings.network_subnet)
            self._tokens.publish(self._swarm.join_tokens(manager))
        joined = replace(
            node,
            swarm_id=listed.id,
            labels=labels,
            capacity=self._capacity(engine, instance, plan),
            command=None,
            reason="",
        )
        ready = self._store.save_node(stepped(joined, Step.CONFIRM_READY, now=self._clock.now()))
        self._forget_certificate(node)
        return self.announce(ready)

    def _listed(self, manager: Node, node: Node, swarm_id: str) -> SwarmNode:
        """The node as the Swarm lists it, ready. Ghosts of the same host name have other Swarm ids."""
        for listed in self._swarm.nodes(manager):
            if listed.host_name == node.id and listed.ready and swarm_id in ("", listed.id):
                return listed
        raise Unavailable(f"{node.id} is not yet ready in the Swarm")

    def _capacity(self, engine: EngineFacts, instance: InstanceFacts, plan: PoolPlan) -> Resources:
        """What may be reserved: the smaller of engine's and instance type's word, less reserve, overcommitted."""
        kind = self._fleet.type_capacity(instance.instance_type)
        nano_cpus = min(engine.capacity.nano_cpus, kind.nano_cpus)
        return plan.offered(Resources(nano_cpus, min(engine.capacity.memory_bytes, kind.memory_bytes)))

    def announce(self, node: Node) -> Progress:
        """Let the ready instance into service and tell placement; nothing to do when both were done."""
        if node.hook is None or node.hook.name != JOIN_HOOK:
            return Progress(node.id, node.state, "in service")
        self._fleet.complete(node.hook, node.id, proceed=True)
        self._events.publish(Event.NODE_READY, [{"fleet": self._settings.fleet, "node": node.id}])
        self._remember(node, ready=True)
        # Reservations move the totals, not the epoch, so this write meets only other registrars.
        self._store.save_node(replace(node, hook=None))
        return Progress(node.id, node.state, "ready and in service")

    def abandon(self, node: Node, reason: str) -> Progress:
        """Undo a join: out of the Swarm, a tombstone, the hook ABANDONed, the failure counted once."""
        try:
            self._drainer.remove_from_swarm(node)
        except Unavailable:
            # It still looks alive; once its instance has ended, the check of a buried node removes the ghost.
            reason = f"{reason} (still listed in the Swarm)"
        self._forget_certificate(node)
        # Counted and told before the burial, so that a crash in between repeats rather than forgets it.
        if node.hook is None or node.hook.name == JOIN_HOOK:
            self._remember(node, ready=False)
            detail = {"fleet": self._settings.fleet, "pool": node.pool, "node": node.id, "reason": reason[:200]}
            self._events.publish(Event.LAUNCH_ABANDONED, [detail])
        buried = self._drainer.bury(node, reason)
        return Progress(node.id, buried.state, reason)

    def _remember(self, node: Node, *, ready: bool) -> None:
        """Count launches for the pool's failure guard; the scaler writes the same record, so races are retried."""
        for _ in range(CLAIM_TRIES):
            state = self._store.scaling(node.pool)
            now = self._clock.now()
            changed: ScalingState = after_ready(state) if ready else after_abandon(state, now, node.id)
            if changed == state:
                return
            try:
                self._store.save_scaling(changed)
            except Conflict:
                continue
            return
        raise Unavailable(f"the scaling state of {node.pool} is contended")

    def _forget_certificate(self, node: Node) -> None:
        for name in (_csr_fact(node.id), _certificate_fact(node.id)):
            stored = self._store.fact(name)
            if stored is not None:
                self._store.replace_fact(name, expected=stored, value=None)


def labels_of(pool: Pool, instance: InstanceFacts) -> dict[str, str]:
    """The labels of a pool's node, as far as EC2 knows them."""
    return {
        **pool.labels,
        "pool": pool.name,
        "zone": instance.availability_zone,
        "instance-type": instance.instance_type,
        "lifecycle": instance.lifecycle,
    }


def _csr_fact(node_id: NodeId) -> str:
    return f"signing-request/{node_id}"


def _certificate_fact(node_id: NodeId) -> str:
    return f"certificate/{node_id}"


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
