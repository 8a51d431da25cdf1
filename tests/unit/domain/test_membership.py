from __future__ import annotations

import pytest

from swarmkeeper.domain.membership import TRANSITIONS, NodeState, Step, after

LIVE = [state for state in NodeState if state is not NodeState.GONE]


def test_a_normal_life_goes_from_launch_to_tombstone() -> None:
    state: NodeState | None = NodeState.LAUNCHING
    steps = (
        Step.REQUEST_CERTIFICATE,
        Step.SEND_JOIN,
        Step.ENTER,
        Step.CONFIRM_READY,
        Step.DRAIN,
        Step.LEAVE,
        Step.BURY,
    )
    for step in steps:
        assert state is not None
        state = after(state, step)
    assert state is NodeState.GONE


@pytest.mark.parametrize("state", LIVE)
def test_every_live_state_reaches_gone(state: NodeState) -> None:
    assert after(state, Step.BURY) is NodeState.GONE


@pytest.mark.parametrize("step", Step)
def test_nothing_leaves_gone(step: Step) -> None:
    assert after(NodeState.GONE, step) is None


def test_every_state_is_reached_from_a_launch() -> None:
    reached = {NodeState.LAUNCHING}
    for _ in NodeState:
        reached |= {target for (source, _step), target in TRANSITIONS.items() if source in reached}
    assert reached == set(NodeState)


TO_READY = (NodeState.JOINED, NodeState.DRAINING, NodeState.LOST)


@pytest.mark.parametrize("state", [state for state in LIVE if state not in TO_READY])
def test_a_node_becomes_ready_only_by_joining_or_coming_back_or_when_its_drain_is_taken_back(state: NodeState) -> None:
    assert NodeState.READY not in {after(state, step) for step in Step}
