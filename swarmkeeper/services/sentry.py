"""Find nodes that have fallen silent, and declare them lost once that is certain enough."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from swarmkeeper.domain.losses import IN_SERVICE, NORMAL, LossFuse, LossPolicy, refusal
from swarmkeeper.domain.membership import LeaveCause, NodeState, Step
from swarmkeeper.domain.model import Leaving, Node, NodeId, PoolName, Role
from swarmkeeper.domain.quorum import why_not_lost
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import Clock, Engines, StateStore, SwarmNode
from swarmkeeper.services.drainer import is_ending
from swarmkeeper.services.health import HEALTHY
from swarmkeeper.services.managers import Managers
from swarmkeeper.services.transitions import stepped

LOSSES = "losses"
"""The fact that holds which nodes were declared lost when, those of long ago left out."""
SILENT = 0
"""The health of a node that two parties have found silent: placement takes it last of all."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found: `silence` says how the node is silent, "" when it is heard; `refused` why it isn't lost."""

    node: Node
    silence: str = ""
    refused: str = ""
    again_at: float | None = None
    """When it is to be looked at again; None: the schedule is soon enough."""


class Sentry:
    """Looks at nodes in service. Of managers one at a time is given up, and only while the others hold the quorum."""

    def __init__(
        self,
        *,
        store: StateStore,
        engines: Engines,
        managers: Managers,
        clock: Clock,
        policies: Mapping[PoolName, LossPolicy],
        fuse: LossFuse,
    ) -> None:
        self._store = store
        self._engines = engines
        self._managers = managers
        self._clock = clock
        self._policies = policies
        self._fuse = fuse

    def look(self, node: Node) -> Look:
        """Suspect a node that is down in the Swarm and silent, and lose it when it still is after its grace.

        Raises NodeChanged, and Conflict when another node was lost at this moment.
        """
        if node.state not in IN_SERVICE:
            return Look(node)
        if not self._is_down(node) or self.answers(node):
            return Look(self._trust(node))
        now = self._clock.now()
        if node.suspected_at is None:
            node = self._store.save_node(replace(node, suspected_at=now, health=SILENT))
        since = now if node.suspected_at is None else node.suspected_at
        silence = f"down in the Swarm and silent for {now - since:.0f} s"
        grace_end = since + self._policies.get(node.pool, NORMAL).grace_s
        if now < grace_end:
            return Look(node, silence, again_at=grace_end)
        return self._lose(node, silence)

    def is_back(self, node: Node) -> bool:
        """Whether the Swarm shows the node ready and its engine answers."""
        return self._shown(node) is True and self.answers(node)

    def why_needed(self, node: Node) -> str:
        """Why a lost manager's instance must not end now: its vote is heard again, and without it there is no quorum.

        "" when it may end, and when there is no other manager to ask. Raises Unavailable, NoLeader among them.
        """
        if node.role is Role.WORKER or not self._managers.in_service(other_than=node):
            return ""
        votes = self._managers.votes(other_than=node)
        return why_not_lost(node.id, votes) if votes.get(node.id) else ""

    def answers(self, node: Node) -> bool:
        """Whether the node's engine answers over TLS."""
        try:
            self._engines.facts(node)
        except Unavailable:
            return False
        return True

    def _is_down(self, node: Node) -> bool:
        """Whether the Swarm says so. Without its word nobody is suspected, and a drain goes on."""
        return self._shown(node) is False

    def _shown(self, node: Node) -> bool | None:
        """Whether the Swarm shows the node alive; None when no other manager can be asked."""
        try:
            listed = self._managers.nodes(other_than=node)
        except Unavailable:
            return None
        return any(each.host_name == node.id and _is_alive(each, node) for each in listed)

    def _trust(self, node: Node) -> Node:
        """A suspicion that a second look doesn't find again is dropped."""
        if node.suspected_at is None:
            return node
        return self._store.save_node(replace(node, suspected_at=None, health=HEALTHY))

    def _lose(self, node: Node, silence: str) -> Look:
        refused = self._note_loss(node) if node.role is Role.WORKER else self._why_kept(node)
        if refused:
            return Look(node, silence, refused)
        lost = replace(node, leaving=_leaving(node), reason=f"lost: {silence}")
        return Look(self._store.save_node(stepped(lost, Step.LOSE, now=self._clock.now())), silence)

    def _why_kept(self, node: Node) -> str:
        """Why a silent manager may not be given up now; "" when it may. Raises Unavailable."""
        leaving = [each.id for each in self._store.nodes() if each.id != node.id and _leaves_the_quorum(each)]
        if leaving:
            return f"another manager, {leaving[0]}, is lost or leaving"
        why = why_not_lost(node.id, self._managers.votes(other_than=node))
        return f"a silent manager is kept: {why}" if why else ""

    def _note_loss(self, node: Node) -> str:
        """Count the loss before it is declared, so that no crash lets one more through; returns why it may not be."""
        text, now = self._store.fact(LOSSES), self._clock.now()
        known: dict[NodeId, float] = json.loads(text) if text else {}
        refused = refusal(self._fuse, node, self._store.nodes(), known, now)
        if refused or node.id in known:
            return refused
        recent = {each: at for each, at in known.items() if now < at + self._fuse.window_s}
        self._store.replace_fact(LOSSES, expected=text, value=json.dumps(recent | {node.id: now}))
        return ""


def _is_alive(listed: SwarmNode, node: Node) -> bool:
    """A worker is ready; a manager is reached by the others, whatever its agent says. One that was demoted is not."""
    return listed.ready if node.role is Role.WORKER else bool(listed.reachable)


def _leaves_the_quorum(node: Node) -> bool:
    return node.role is Role.MANAGER and node.state in (NodeState.DRAINING, NodeState.LOST, NodeState.LEAVING)


def _leaving(node: Node) -> Leaving | None:
    """Why it was to leave, for the end of its instance or its return."""
    if node.leaving is not None or node.state is not NodeState.DRAINING:
        return node.leaving
    cause = LeaveCause.GROUP if is_ending(node) else LeaveCause.SCALE_IN
    return Leaving(cause, since=node.state_since)
