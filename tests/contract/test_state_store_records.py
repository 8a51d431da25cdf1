"""Nodes, facts and scaling states, as every StateStore promises them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    Hook,
    NodeId,
    PoolName,
    Resources,
    SentCommand,
)
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.errors import Conflict, InvariantBroken, NodeChanged
from swarmkeeper.ports import StateStore
from tests.contract.acts import LATER, NOW, now_stored, placed, with_node
from tests.fakes.builders import a_limit, a_node, a_request


# Nodes.
def test_a_node_is_read_as_it_was_stored(store: StateStore) -> None:
    node = a_node(
        slots=4,
        labels={"containerslots": "4", "empty": ""},
        health=67,
        swarm_id="swarm-1",
        created_at=NOW,
        hook=Hook("demo-workers", "join", "token", NOW + 600.125),
        command=SentCommand("command-1", "node-join", NOW, attempt=2),
    )
    store.add_node(replace(node, reason="why"))
    assert store.node(node.id) == replace(node, reason="why")
    assert store.nodes() == (replace(node, reason="why"),)


def test_amounts_are_exact(store: StateStore) -> None:
    most = Resources(2**53 + 1, 2**60 + 1)
    node = with_node(store, a_node(capacity=most))
    request = replace(a_request(), reservation=most)
    container = store.reserve(request, node, a_limit(node, request), now=NOW)
    assert now_stored(store, node).reserved == most
    assert store.container(container.name) == container


def test_an_unknown_node_is_none(store: StateStore) -> None:
    assert store.node(NodeId("i-none")) is None


def test_a_known_id_is_refused_with_its_record(store: StateStore) -> None:
    node = with_node(store)
    with pytest.raises(NodeChanged) as refused:
        store.add_node(replace(node, pool=PoolName("others")))
    assert refused.value.actual == node


def test_nodes_are_listed_by_id(store: StateStore) -> None:
    for node_id in ("i-0c", "i-0a", "i-0b"):
        store.add_node(a_node(node_id))
    assert [node.id for node in store.nodes()] == ["i-0a", "i-0b", "i-0c"]


def test_saving_raises_the_epoch_and_leaves_the_totals(store: StateStore) -> None:
    node = with_node(store)
    placed(store, node)
    saved = store.save_node(replace(node, health=67, slots=None, labels={"zone": "a"}))
    assert saved == now_stored(store, node)
    assert (saved.epoch, saved.health, saved.containers) == (node.epoch + 1, 67, 1)
    assert saved.reserved == a_request().reservation


def test_saving_can_clear_what_was_set(store: StateStore) -> None:
    node = with_node(store, a_node(slots=4, hook=Hook("g", "join", "t", NOW), command=SentCommand("c", "k", NOW)))
    cleared = store.save_node(replace(node, slots=None, hook=None, command=None, labels={}))
    assert (cleared.slots, cleared.hook, cleared.command) == (None, None, None)
    assert now_stored(store, node) == cleared


def test_saving_over_another_epoch_is_refused_with_the_record(store: StateStore) -> None:
    node = with_node(store)
    first = store.save_node(replace(node, health=34))
    with pytest.raises(NodeChanged) as refused:
        store.save_node(replace(node, health=0))
    assert refused.value.actual == first


def test_saving_an_unknown_node_is_refused(store: StateStore) -> None:
    with pytest.raises(NodeChanged) as refused:
        store.save_node(a_node())
    assert refused.value.actual is None


def test_a_buried_node_is_a_tombstone_that_refuses_a_later_add(store: StateStore) -> None:
    node = with_node(store)
    tombstone = store.bury_node(replace(node, reason="terminated"), expires_at=LATER)
    assert (tombstone.state, tombstone.epoch, tombstone.reason) == (NodeState.GONE, node.epoch + 1, "terminated")
    assert now_stored(store, node) == tombstone
    assert store.nodes() == ()
    with pytest.raises(NodeChanged) as refused:
        store.add_node(a_node(state=NodeState.LAUNCHING))
    assert refused.value.actual == tombstone


def test_a_tombstone_can_be_stored_before_the_node_was_known(store: StateStore) -> None:
    store.add_node(a_node(state=NodeState.GONE))
    assert store.nodes() == ()
    buried = store.bury_node(a_node(state=NodeState.GONE), expires_at=LATER)
    assert now_stored(store, a_node()) == buried


def test_a_node_with_reservations_is_not_buried(store: StateStore) -> None:
    node = with_node(store)
    placed(store, node)
    with pytest.raises(InvariantBroken):
        store.bury_node(node, expires_at=LATER)
    assert now_stored(store, node).state is NodeState.READY


def test_burying_over_another_epoch_is_refused(store: StateStore) -> None:
    node = with_node(store)
    saved = store.save_node(node)
    with pytest.raises(NodeChanged) as refused:
        store.bury_node(node, expires_at=LATER)
    assert refused.value.actual == saved


# Facts and scaling.
def test_a_fact_is_set_once(store: StateStore) -> None:
    assert store.fact("manager") is None
    assert store.set_fact_once("manager", "i-0a") == "i-0a"
    assert store.set_fact_once("manager", "i-0b") == "i-0a"
    assert store.fact("manager") == "i-0a"


def test_a_fact_is_replaced_only_when_it_is_as_expected(store: StateStore) -> None:
    store.replace_fact("manager", expected=None, value="i-0a")
    for expected in (None, "i-0b"):
        with pytest.raises(Conflict):
            store.replace_fact("manager", expected=expected, value="i-0c")
    store.replace_fact("manager", expected="i-0a", value="")
    assert store.fact("manager") == ""
    store.replace_fact("manager", expected="", value=None)
    assert store.fact("manager") is None
    store.replace_fact("manager", expected=None, value=None)
    with pytest.raises(Conflict):
        store.replace_fact("manager", expected="i-0a", value=None)


def test_a_scaling_state_is_read_as_it_was_saved(store: StateStore) -> None:
    pool = PoolName("workers")
    assert store.scaling(pool) == ScalingState(pool)
    saved = store.save_scaling(
        ScalingState(
            pool,
            last_out_at=NOW,
            last_in_at=NOW + 1,
            recheck_at=LATER,
            abandoned_in_a_row=2,
            abandoned_nodes=(NodeId("i-0a"),),
            failed_since=NOW,
            last_decision='{"direction":"out"}',
        )
    )
    assert saved.version == 1
    assert store.scaling(pool) == saved
    cleared = store.save_scaling(ScalingState(pool, version=1))
    assert store.scaling(pool) == cleared == ScalingState(pool, version=2)


def test_a_scaling_state_over_another_version_is_refused(store: StateStore) -> None:
    first = store.save_scaling(ScalingState(PoolName("workers")))
    for version in (0, 2):
        with pytest.raises(Conflict):
            store.save_scaling(replace(first, version=version))
    assert store.scaling(PoolName("workers")) == first
