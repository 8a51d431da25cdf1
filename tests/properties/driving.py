"""How a machine of rules drives a fleet of fakes: instances, commands and events, without a rule of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import ClassVar

from hypothesis.stateful import RuleBasedStateMachine

from swarmkeeper.domain.model import ContainerName, NodeId, Role
from swarmkeeper.errors import Conflict, Unavailable, UnsafeAction
from swarmkeeper.ports import Command, CommandStatus, Event
from swarmkeeper.services.registrar import WaitingHook
from tests.fakes.certificates import SIGNING_REQUEST
from tests.fakes.commands import Sent
from tests.fakes.fleet import LEAVE
from tests.unit.services.world import World

TICK_S = 60.0


class Drive(RuleBasedStateMachine):
    """The instances of one group, some of which are cut off, and all hooks that ever waited."""

    GROUP: ClassVar[str] = "demo-workers"
    ROLE: ClassVar[Role] = Role.WORKER

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.ids: list[NodeId] = []
        self.hooks: list[WaitingHook] = []
        self.cut: set[NodeId] = set()
        self.left: set[NodeId] = set()

    def _join(self) -> None:
        self.world.join(self._new_id(), group=self.GROUP, role=self.ROLE)

    def _launch(self) -> None:
        node_id = self._new_id()
        self.hooks.append(self.world.launch(node_id, self.GROUP))
        self.world.commands.register(node_id)

    def _new_id(self) -> NodeId:
        self.ids.append(NodeId(f"i-{len(self.ids):017x}"))
        return self.ids[-1]

    def _one(self, which: int) -> NodeId:
        """One whose instance runs, while there is any."""
        ids = self._alive() or self.ids
        return ids[which % len(ids)]

    def _runs(self, node_id: NodeId) -> bool:
        facts = self.world.fleet.instance(node_id)
        return facts is not None and facts.running

    def _alive(self) -> list[NodeId]:
        return [node_id for node_id in self.ids if self._runs(node_id)]

    def _ending(self) -> set[NodeId]:
        members = self.world.fleet.group(self.GROUP).instances
        return {item.id for item in members if item.lifecycle.startswith("Terminat")}

    def _cut_off(self, node_id: NodeId) -> None:
        self.cut.add(node_id)
        self.world.engines.on(node_id).reachable = False
        self.world.swarm.unreachable.add(node_id)
        self.world.swarm.go_down(node_id)

    def _heal(self, node_id: NodeId) -> None:
        """Its engine answers again; one that has left the Swarm stays down there, whatever it can reach."""
        if node_id not in self.cut or not self._runs(node_id):
            return
        self.cut.discard(node_id)
        self.world.engines.on(node_id).reachable = True
        self.world.swarm.unreachable.discard(node_id)
        for swarm_id, listed in self.world.swarm.listed.items():
            if listed.host_name == node_id and node_id not in self.left:
                vote = None if listed.reachable is None else True
                self.world.swarm.listed[swarm_id] = replace(listed, ready=True, reachable=vote)

    def _end_machines(self) -> None:
        """With an instance all ends that ran on it."""
        for node_id in self.ids:
            if not self._runs(node_id):
                self.world.engines.lose(node_id)
                self.world.commands.deregister(node_id)
                self.world.swarm.unreachable.add(node_id)
                self.world.swarm.go_down(node_id)

    def _tell(self, hook: WaitingHook) -> None:
        registrar = self.world.registrar
        self._served(lambda: registrar.terminating(hook) if LEAVE in hook.token else registrar.launching(hook))

    def _end_commands(self, node_id: NodeId) -> None:
        """What runs on a node that can be reached ends well."""
        for sent in list(self.world.commands.sent):
            is_running = self.world.commands.result(sent.id, sent.node_id).status is CommandStatus.RUNNING
            if sent.node_id != node_id or not is_running or not self._runs(node_id) or node_id in self.cut:
                continue
            self._finish(sent)
            self._tell_end(sent)

    def _finish(self, sent: Sent) -> None:
        if sent.command is Command.PULL:
            self.world.engines.pull(sent.node_id, sent.parameters["image"])
        self.world.commands.finish(sent.id, output=self._output(sent.command, sent.node_id))

    def _tell_end(self, sent: Sent) -> None:
        """As the rules of the event bus do: a pull's end to the placement function too."""
        if sent.command is not Command.PULL:
            self._served(lambda: self.world.registrar.command_ended(sent.node_id, sent.id))
            return
        self._served(lambda: self.world.registrar.pull_ended(sent.node_id, sent.id))
        status = self.world.commands.result(sent.id, sent.node_id).status
        if status is not CommandStatus.RUNNING:
            self._served(lambda: self._pulled(sent))

    def _pulled(self, sent: Sent) -> None:
        image = self.world.puller.ended(sent.node_id, sent.id, succeeded=True)
        self.world.pending.image_pulled(sent.node_id, image, failure="")

    def _check(self, node_id: NodeId) -> None:
        self.world.registrar.advance(node_id)

    def _output(self, command: Command, node_id: NodeId) -> str:
        if command is Command.CSR:
            return SIGNING_REQUEST
        if command is Command.LEAVE:
            self.left.add(node_id)
            self.world.swarm.go_down(node_id)
        if command is not Command.JOIN:
            return ""
        member = next((each for each in self.world.swarm.listed.values() if each.host_name == node_id), None)
        member = member or self.world.swarm.join(node_id, role=self.ROLE)
        return json.dumps({"node_id": member.id, "state": "active"})

    def _tick(self) -> None:
        """The schedule, and what it asks for."""
        self._end_machines()
        self.world.clock.advance(TICK_S)
        self.world.events.published.clear()
        with suppress(Unavailable):  # without a leader: what else there is has been told before
            self.world.reconciler.nudge()
        for detail in self.world.events.of(Event.MEMBERSHIP_CHECK):
            self._served(partial(self._check, NodeId(detail["node"])))
        for detail in self.world.events.of(Event.INVENTORY_DUE):
            self._served(partial(self.world.inventory.check, NodeId(detail["node"])))
        for detail in self.world.events.of(Event.PENDING_RETRY):
            if "name" in detail:
                self._served(partial(self.world.pending.settle_named, ContainerName(detail["name"])))
            else:
                self._served(self.world.pending.retry)

    def _served(self, call: Callable[[], object]) -> None:
        """What can't be done now comes again; a hook that it has begun may be told some time, or never."""
        self._end_machines()
        with suppress(Unavailable, Conflict, UnsafeAction):
            call()
        told = {hook.token for hook in self.hooks}
        for node_id, action in self.world.fleet.actions.items():
            if action.token not in told:
                self.hooks.append(self.world.waiting(node_id, action))
