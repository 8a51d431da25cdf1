"""What a pool's next nodes will be like, judged by those that are there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.model import Node, Request, Rules
from swarmkeeper.domain.scaling.demand import as_joined, new_node, promised_nodes, refusal
from swarmkeeper.domain.scaling.feasibility import why_never
from swarmkeeper.domain.scaling.learnt import with_learnt_labels
from tests.fakes.builders import a_node, a_request, options
from tests.unit.domain.builders import a_pool

POOL = a_pool(labels={"pool": "workers", "ostype": "linux"})


def serving(node_id: str, zone: str, pool: str = "workers", **labels: str) -> Node:
    return a_node(node_id, pool=pool, labels={"zone": zone, "operatingsystem": "Debian GNU/Linux 12", **labels})


def wanting(*constraints: str) -> Request:
    return replace(a_request(), rules=Rules(constraints=constraints))


@pytest.mark.parametrize(
    ("constraint", "may"),
    [
        ("pool==workers", True),
        ("ostype==linux", True),
        ("operatingsystem==Debian*", True),
        ("zone==b", True),
        ("instance-type==m7g.large", True),
        ("zone==nowhere", False),
        ("operatingsystem==Windows*", False),
        ("instance-type==t3.small", False),
    ],
)
def test_a_node_is_bought_for_what_the_next_ones_will_be(constraint: str, may: bool) -> None:
    nodes = [serving("i-0a", "a", **{"instance-type": "m7g.large"}), serving("i-0b", "b", pool="other")]
    pool = with_learnt_labels(POOL, nodes)
    assert (refusal(wanting(constraint), pool, options()) is None) is may


def test_a_group_uses_next_the_zone_in_which_it_has_the_fewest() -> None:
    nodes = [serving("i-0a", "a"), serving("i-0b", "a"), serving("i-0c", "b"), serving("i-0d", "c", pool="other")]
    pool = with_learnt_labels(POOL, nodes)
    assert pool.zones == ("c", "b", "a")
    assert [new_node(pool, number).labels["zone"] for number in range(4)] == ["c", "b", "a", "c"]
    assert [node.labels["zone"] for node in promised_nodes(pool, 5, nodes)] == ["c", "b"]


def test_a_joining_node_keeps_what_ec2_says_of_it() -> None:
    pool = with_learnt_labels(POOL, [serving("i-0a", "a")])
    joining = as_joined(a_node("i-0b", labels={"zone": "z"}), pool)
    assert (joining.labels["zone"], joining.labels["operatingsystem"]) == ("z", "Debian GNU/Linux 12")


def test_the_pools_own_labels_are_believed_first() -> None:
    pool = with_learnt_labels(a_pool(labels={"operatingsystem": "mine"}), [serving("i-0a", "a")])
    assert pool.labels["operatingsystem"] == "mine"


@pytest.mark.parametrize("key", ["zone", "instance-type", "operatingsystem", "kernelversion", "storagedriver"])
def test_what_only_a_join_tells_is_never_refused_at_once(key: str) -> None:
    assert why_never(wanting(f"{key}==some"), [POOL], (), options()) == ""


@pytest.mark.parametrize("constraint", ["pool==others", "ostype==windows", "disk==ssd"])
def test_what_is_known_of_every_pool_is(constraint: str) -> None:
    assert why_never(wanting(constraint), [POOL], (), options())
