"""What the ports `Pulls` and `Watches` promise, by the table in memory and by the one in DynamoDB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from swarmkeeper.adapters.aws.pull_items import DynamoPulls
from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.adapters.aws.watch_items import DynamoWatches
from swarmkeeper.adapters.memory.upkeep import MemoryPulls, MemoryWatches
from swarmkeeper.domain.model import ContainerName, NodeId
from swarmkeeper.errors import Conflict
from swarmkeeper.ports import Pull, Pulls, Watch, Watches
from tests.contract.acts import NOW, running, with_node

PULL = Pull(NodeId("i-0a"), "registry.example/team/web@sha256:0a", until=NOW + 0.5)
WATCH = Watch(ContainerName("web-1"), due=NOW, changed_at=NOW - 1.5)
KINDS = pytest.mark.parametrize("kind", ["in memory", "DynamoDB"])


@pytest.fixture
def pulls(kind: str, request: pytest.FixtureRequest) -> Pulls:
    made: Callable[[], Pulls] = MemoryPulls
    if kind == "DynamoDB":
        made = lambda: DynamoPulls(request.getfixturevalue("dynamo_store").table)  # noqa: E731  # made when asked for
    return made()


@pytest.fixture
def watches(kind: str, request: pytest.FixtureRequest) -> Watches:
    made: Callable[[], Watches] = MemoryWatches
    if kind == "DynamoDB":
        made = lambda: DynamoWatches(request.getfixturevalue("dynamo_store").table)  # noqa: E731  # made when asked for
    return made()


@KINDS
def test_a_pull_is_claimed_once(pulls: Pulls) -> None:
    assert pulls.pull(PULL.node_id, PULL.image) is None
    pulls.save_pull(PULL, over=None)
    with pytest.raises(Conflict):
        pulls.save_pull(replace(PULL, until=NOW + 9), over=None)
    assert pulls.pull(PULL.node_id, PULL.image) == PULL


@KINDS
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(PULL, command_id="c-1"), id="another command"),
        pytest.param(replace(PULL, until=NOW), id="another time"),
        pytest.param(replace(PULL, failure="no"), id="it failed"),
    ],
)
def test_a_pull_is_changed_by_who_knows_it_only(pulls: Pulls, changed: Pull) -> None:
    pulls.save_pull(PULL, over=None)
    pulls.save_pull(changed, over=PULL)
    with pytest.raises(Conflict):
        pulls.save_pull(PULL, over=PULL)
    pulls.drop_pull(PULL)
    assert pulls.pull(PULL.node_id, PULL.image) == changed
    pulls.drop_pull(changed)
    pulls.drop_pull(changed)
    assert pulls.pull(PULL.node_id, PULL.image) is None


@KINDS
def test_the_pulls_of_a_node_are_found(pulls: Pulls) -> None:
    other = replace(PULL, image="db:1", command_id="c-2", failure="it broke")
    for each in (PULL, other, replace(PULL, node_id=NodeId("i-0b"))):
        pulls.save_pull(each, over=None)
    assert sorted(pulls.pulls_on(PULL.node_id), key=lambda each: each.image) == [other, PULL]
    assert pulls.pulls_on(NodeId("i-0c")) == ()


@KINDS
def test_watches_are_found_when_they_are_due_the_longest_overdue_first(watches: Watches) -> None:
    later = Watch(ContainerName("web-2"), due=NOW - 60, changed_at=NOW, sent_bytes=2**40)
    for each in (WATCH, later, Watch(ContainerName("web-3"), due=NOW + 1, changed_at=NOW)):
        watches.save_watch(each)
    assert watches.due_watches(now=NOW, most=9) == (later, WATCH)
    assert watches.due_watches(now=NOW, most=1) == (later,)


@KINDS
def test_a_watch_is_stored_over_the_last_and_dropped_by_who_knows_it_only(watches: Watches) -> None:
    watches.save_watch(WATCH)
    newer = replace(WATCH, due=NOW - 1, sent_bytes=7)
    watches.save_watch(newer)
    watches.drop_watch(WATCH)
    assert watches.due_watches(now=NOW, most=9) == (newer,)
    watches.drop_watch(newer)
    watches.drop_watch(newer)
    assert watches.due_watches(now=NOW, most=9) == ()


def test_neither_is_taken_for_a_container_or_for_what_a_node_holds(dynamo_store: DynamoStore) -> None:
    node = with_node(dynamo_store)
    container = running(dynamo_store, node)
    DynamoPulls(dynamo_store.table).save_pull(PULL, over=None)
    DynamoWatches(dynamo_store.table).save_watch(WATCH)
    assert dynamo_store.containers() == (container,)
    [content] = dynamo_store.contents([node.id])
    assert [each.name for each in content.occupants] == ["web-1"]


def test_a_pull_that_nobody_dropped_expires(dynamo_store: DynamoStore) -> None:
    DynamoPulls(dynamo_store.table).save_pull(PULL, over=None)
    [item] = dynamo_store.table.partition("PULLS#i-0a")
    assert int(item["expires_at"]["N"]) == int(NOW) + 3601
