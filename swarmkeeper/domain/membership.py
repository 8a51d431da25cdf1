"""A node's life as a table of legal transitions."""

from __future__ import annotations

from enum import StrEnum


class NodeState(StrEnum):
    """A node's states, in the order of a normal life."""

    LAUNCHING = "launching"
    """Its launch hook waits; no command has been sent."""
    CERTIFYING = "certifying"
    """The command that makes its key and signing request is being sent, or has been."""
    JOINING = "joining"
    """Its certificate is signed and the join command is being sent, or has been."""
    JOINED = "joined"
    """Its join command has succeeded: shown ready, given its pool's images, labelled, and then let into service."""
    READY = "ready"
    """Ready in the Swarm, labelled, hook completed; takes reservations."""
    DRAINING = "draining"
    """Takes no new reservation; its containers are moved or waited for."""
    LOST = "lost"
    """Down in the Swarm and silent, without a hook: fenced before its containers run elsewhere, or it returns."""
    LEAVING = "leaving"
    """Empty; the leave command is being sent, or has been, or its instance is being ended."""
    GONE = "gone"
    """A tombstone: whatever comes later for this instance is refused."""


class Step(StrEnum):
    """What can happen to a node."""

    REQUEST_CERTIFICATE = "request-certificate"
    SEND_JOIN = "send-join"
    ENTER = "enter"
    PULL_IMAGE = "pull-image"
    CONFIRM_READY = "confirm-ready"
    DRAIN = "drain"
    UNDRAIN = "undrain"
    LOSE = "lose"
    RETURN = "return"
    LEAVE = "leave"
    BURY = "bury"


TRANSITIONS: dict[tuple[NodeState, Step], NodeState] = {
    (NodeState.LAUNCHING, Step.REQUEST_CERTIFICATE): NodeState.CERTIFYING,
    (NodeState.CERTIFYING, Step.REQUEST_CERTIFICATE): NodeState.CERTIFYING,  # a bounded retry
    (NodeState.CERTIFYING, Step.SEND_JOIN): NodeState.JOINING,
    (NodeState.JOINING, Step.SEND_JOIN): NodeState.JOINING,  # a bounded retry
    (NodeState.JOINING, Step.ENTER): NodeState.JOINED,
    (NodeState.JOINED, Step.SEND_JOIN): NodeState.JOINING,  # the Swarm does not show it ready: a bounded retry
    (NodeState.JOINED, Step.PULL_IMAGE): NodeState.JOINED,
    (NodeState.JOINED, Step.CONFIRM_READY): NodeState.READY,
    (NodeState.READY, Step.DRAIN): NodeState.DRAINING,
    (NodeState.DRAINING, Step.UNDRAIN): NodeState.READY,
    (NodeState.READY, Step.LOSE): NodeState.LOST,
    (NodeState.DRAINING, Step.LOSE): NodeState.LOST,
    (NodeState.LOST, Step.RETURN): NodeState.READY,  # from where it is drained again if it was to leave
    (NodeState.DRAINING, Step.LEAVE): NodeState.LEAVING,
    (NodeState.LEAVING, Step.LEAVE): NodeState.LEAVING,  # a bounded retry
    # An instance may end in any state: abandoned while it joins, or vanished without a hook.
    **{(state, Step.BURY): NodeState.GONE for state in NodeState if state is not NodeState.GONE},
}

JOINING_STATES = frozenset({NodeState.LAUNCHING, NodeState.CERTIFYING, NodeState.JOINING, NodeState.JOINED})


def after(state: NodeState, step: Step) -> NodeState | None:
    """The state that `step` leads to, or None where the step is illegal in `state`."""
    return TRANSITIONS.get((state, step))


class LeaveCause(StrEnum):
    """Why a node is to leave; decides how long its containers are waited for and whether it may be taken back."""

    SCALE_IN = "scale-in"
    """The only one that new demand takes back."""
    SPOT_INTERRUPTION = "spot-interruption"
    REBALANCE = "rebalance"
    IMAGE_UPDATE = "image-update"
    LIFETIME = "maximum-lifetime"
    OPERATOR = "operator"
    GROUP = "ended-by-its-group"
