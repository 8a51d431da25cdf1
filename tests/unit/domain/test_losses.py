"""When a silent node may be declared lost, and when its instance is ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.losses import LossFuse, LossPolicy, kept_for_return, refusal, waits_until
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, Node, NodeId, Role
from tests.fakes import a_node, a_request

NOW = 10_000.0


def workers(count: int, *, silent: int = 0, lost: int = 0) -> list[Node]:
    nodes = [a_node(f"i-{number:02d}") for number in range(count)]
    for number in range(silent):
        nodes[number] = replace(nodes[number], suspected_at=NOW - 60)
    for number in range(silent, silent + lost):
        nodes[number] = replace(nodes[number], state=NodeState.LOST)
    return nodes


def refused(fuse: LossFuse, nodes: list[Node], losses: dict[NodeId, float] | None = None) -> bool:
    return bool(refusal(fuse, nodes[0], nodes, losses or {}, NOW))


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param(workers(1, silent=1), False, id="the only worker"),
        pytest.param(workers(2, silent=1), False, id="one of two"),
        pytest.param(workers(2, silent=2), True, id="both"),
        pytest.param(workers(10, silent=10), True, id="all"),
        pytest.param(workers(10, silent=9, lost=1), True, id="the last ones, others are lost already"),
        pytest.param(workers(10, silent=9), False, id="one is heard"),
    ],
)
def test_when_every_worker_is_silent_none_is_lost(nodes: list[Node], expected: bool) -> None:
    assert refused(LossFuse(nodes=100), nodes) is expected


def test_managers_and_nodes_that_join_or_leave_are_no_witnesses() -> None:
    others = [
        a_node("i-m", role=Role.MANAGER),
        a_node("i-j", state=NodeState.JOINED),
        a_node("i-l", state=NodeState.LEAVING),
    ]
    assert refused(LossFuse(nodes=100), workers(2, silent=2) + others)


@pytest.mark.parametrize(
    ("fuse", "lost_at", "expected"),
    [
        pytest.param(LossFuse(share=0.2), [NOW - 10], False, id="a second of ten at a fifth"),
        pytest.param(LossFuse(share=0.2), [NOW - 10, NOW - 20], True, id="a third"),
        pytest.param(LossFuse(share=0.2), [NOW - 10, NOW - 600], False, id="a third when the first is long ago"),
        pytest.param(LossFuse(share=0.01), [], False, id="one at least"),
        pytest.param(LossFuse(nodes=1), [NOW - 10], True, id="by number"),
    ],
)
def test_so_many_are_lost_within_a_window_at_most(fuse: LossFuse, lost_at: list[float], expected: bool) -> None:
    losses = {NodeId(f"i-gone-{number}"): at for number, at in enumerate(lost_at)}
    assert refused(fuse, workers(10, silent=1), losses) is expected


def test_a_loss_that_was_counted_already_is_not_refused_by_itself() -> None:
    nodes = workers(10, silent=1)
    assert not refused(LossFuse(nodes=1), nodes, {nodes[0].id: NOW - 5})


RUNNING = Container(a_request(), ContainerState.RUNNING, NOW, node=NodeId("i-00"), started_at=NOW)


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        pytest.param(RUNNING, True, id="unmovable"),
        pytest.param(replace(RUNNING, request=a_request(movable=True)), False, id="movable"),
        pytest.param(replace(RUNNING, state=ContainerState.RESERVED, started_at=None), False, id="never ran"),
        pytest.param(replace(RUNNING, state=ContainerState.REMOVING), False, id="being removed"),
        pytest.param(replace(RUNNING, node=NodeId("i-01"), moving_to=NodeId("i-00")), False, id="only moving there"),
    ],
)
def test_a_node_is_waited_for_when_something_would_lose_what_it_has_written(
    container: Container, expected: bool
) -> None:
    node = a_node("i-00", state=NodeState.LOST, state_since=NOW)
    kept = kept_for_return(node, [container])
    assert waits_until(node, kept, LossPolicy()) == (NOW + 600 if expected else None)
    assert waits_until(node, kept, LossPolicy(waits=False)) is None
