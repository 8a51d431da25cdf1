"""When a fault has healed."""

from __future__ import annotations

from dataclasses import replace

from local.chaos.healing import NodeHealed, WorkDone
from local.chaos.snapshot import Group, OnEngine, Snapshot
from tests.unit.local.chaos.snapshots import (
    a_node,
    at_rest,
    pending,
    running,
    with_container,
    with_engine,
    with_node,
    without_container,
)


def buried(seen: Snapshot) -> Snapshot:
    """The first worker is gone without a trace, its containers run on the second."""
    nodes = {"i-1": a_node("i-1", state="gone"), "i-2": a_node("i-2", "a", "b", "c")}
    moved = {**seen.containers, "a": running("a", "i-2"), "b": running("b", "i-2")}
    engines = {"i-2": tuple(OnEngine(name, True) for name in "abc")}
    group = Group("workers", 1, 1, 4, {"i-2": "InService"})
    return Snapshot(nodes=nodes, containers=moved, engines=engines, swarm={"i-2": True}, groups=(group,))


def test_a_lost_node_has_healed_when_it_is_gone_everywhere_and_what_it_held_runs() -> None:
    healing = NodeHealed("i-1", at_rest(), returns=False)
    assert not healing.healed(at_rest())
    assert healing.healed(buried(at_rest()))
    assert not healing.healed(with_container(buried(at_rest()), pending("a")))
    assert not healing.healed(replace(buried(at_rest()), swarm={"i-1": False, "i-2": True}))
    assert healing.healed(without_container(buried(at_rest()), "a"))


def test_a_node_that_can_return_has_healed_when_it_serves_and_what_it_held_runs() -> None:
    healing = NodeHealed("i-1", at_rest(), returns=True)
    assert healing.healed(at_rest())
    stopped = with_engine(at_rest(), "i-1", OnEngine("a", False), OnEngine("b", True))
    assert not healing.healed(stopped)
    assert not healing.healed(with_container(stopped, running("a", "i-1", reason="its process has ended")))
    assert not healing.healed(replace(at_rest(), swarm={"i-1": False, "i-2": True}))


def test_a_node_has_not_healed_while_its_group_has_too_few_in_service() -> None:
    few = replace(buried(at_rest()), groups=(Group("workers", 2, 2, 4, {"i-2": "InService", "i-3": "Pending:Wait"}),))
    assert not NodeHealed("i-1", at_rest(), returns=False).healed(few)


def test_work_is_done_when_all_that_was_under_way_has_come_to_rest_once() -> None:
    under_way = with_container(at_rest(), replace(running("a", "i-1"), state="reserved"))
    under_way = with_node(under_way, a_node("i-3", state="joining"))
    healing = WorkDone(under_way, ())
    assert not healing.healed(under_way)
    assert not healing.healed(with_node(at_rest(), a_node("i-3", state="joining")))
    # What has come to rest may move again: that is other work.
    assert healing.healed(with_container(at_rest(), running("a", "i-1", moving_to="i-2")))


def test_work_is_done_at_once_when_nothing_is_under_way() -> None:
    assert WorkDone(at_rest(), ()).healed(at_rest())


def test_an_instance_without_a_node_is_work_under_way() -> None:
    waiting = Group("workers", 3, 1, 4, {**at_rest().groups[0].instances, "i-3": "Pending:Wait"})
    healing = WorkDone(replace(at_rest(), groups=(waiting,)), ())
    assert not healing.healed(replace(at_rest(), groups=(waiting,)))
    assert healing.healed(at_rest())


def test_a_drain_that_waits_for_what_cannot_be_moved_is_not_work_that_a_fault_has_left() -> None:
    ending = replace(at_rest(), groups=(Group("workers", 1, 1, 4, {"i-1": "InService", "i-2": "Terminating:Wait"}),))
    draining = with_node(ending, a_node("i-2", "c", state="draining"))
    assert not WorkDone(draining, ()).healed(draining)
    waiting = with_container(draining, replace(running("c", "i-2"), movable=False))
    assert WorkDone(waiting, ()).healed(waiting)


def test_what_another_fault_has_hit_heals_with_that_one() -> None:
    under_way = with_container(at_rest(), replace(running("a", "i-1"), state="reserved"))
    under_way = with_node(under_way, a_node("i-1", "a", "b", state="lost"))
    assert WorkDone(under_way, ["i-1"]).healed(under_way)
    assert WorkDone(under_way, ["i-2"]).waits_for(under_way) == ("i-1", "a")
