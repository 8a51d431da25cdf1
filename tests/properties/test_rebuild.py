"""I1 and I7: whatever the fleet holds, a table made anew of it says the same, and a second rebuild changes nothing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from swarmkeeper.domain.model import (
    NO_RESOURCES,
    Container,
    ContainerName,
    ContainerState,
    HostPort,
    Lifetime,
    Node,
    Quota,
    Rules,
    Usage,
)
from swarmkeeper.errors import SwarmkeeperError, Unavailable
from swarmkeeper.services.recorder import Finding
from tests.fakes import FakeStateStore, a_request
from tests.unit.services.healing import assert_at_most_one_copy_runs
from tests.unit.services.world import MANAGER, World

TENANTS = ("acme", "other")
SIZES = ((0.1, 64), (0.5, 256), (1.0, 512))
LIVES = (Lifetime(), Lifetime(running_s=3600.0))
FAILING = ("facts", "containers", "recall")

sizes = st.sampled_from(SIZES)
creates = st.tuples(
    st.just("create"), st.integers(0, 11), sizes, st.sampled_from(TENANTS), st.sampled_from([0, 0, 8080]), st.booleans()
)
others = st.tuples(st.sampled_from(("remove", "end", "move")), st.integers(0, 11))
stories = st.lists(creates | creates | others, max_size=25)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a table says of what lives."""

    nodes: tuple[tuple[object, ...], ...]
    containers: tuple[tuple[object, ...], ...]
    usage: tuple[Usage, ...]


def standing(world: World) -> Standing:
    nodes = tuple(_of_node(node) for node in world.store.nodes())
    living = [each for each in world.store.containers() if each.state is ContainerState.RUNNING]
    counted = [each for each in living if each.counted]
    return Standing(nodes, tuple(_of_container(each) for each in living), tuple(_usage(counted, t) for t in TENANTS))


def _of_node(node: Node) -> tuple[object, ...]:
    return (node.id, node.state, node.pool, node.role, node.slots, node.capacity, node.reserved, node.containers)


def _of_container(one: Container) -> tuple[object, ...]:
    return (one.name, one.request, one.state, one.node, one.engine_id, one.reason, one.counted)


def _usage(counted: list[Container], tenant: str) -> Usage:
    total, found = NO_RESOURCES, [each for each in counted if each.request.tenant == tenant]
    for each in found:
        total += each.request.reservation
    return Usage(len(found), total.nano_cpus, total.memory_bytes)


def live(workers: int, story: list[tuple[Any, ...]]) -> World:
    """A fleet that has lived through the story; each act is tried, whatever comes of it."""
    world = World(quota_of=lambda tenant: Quota(containers=6) if tenant == "acme" else None).with_manager()
    manager = world.store.save_node(replace(world.node(MANAGER), slots=4))  # as its pool says
    world.engines.on(MANAGER).capacity = manager.capacity
    for number in range(workers):
        world.with_worker(f"i-{number:08x}")
    for act in story:
        with suppress(SwarmkeeperError):
            _do(world, *act)
    for node in world.store.nodes():
        world.inventory.check(node.id)  # what has ended by itself is known
    return world


def _do(world: World, act: str, number: int, *details: Any) -> None:
    name = ContainerName(f"web-{number}")
    if act == "create":
        (cpus, memory), tenant, port, lives = details
        request = a_request(name, cpus=cpus, memory_mib=memory, tenant=tenant, movable=True)
        ports = (HostPort(port),) if port else ()
        world.placer.create(replace(request, rules=Rules(ports=ports), lifetime=LIVES[lives]))
        return
    if act == "remove":
        world.placer.remove(name)
        return
    container = world.store.container(name)
    if container is None or container.node is None:
        return
    if act == "end":
        world.engines.change(container.node, name, running=False)
    else:
        world.mover.move(container, world.node(container.node))


def rebuild(world: World) -> list[Finding]:
    """All shards; returns all findings."""
    findings: list[Finding] = []
    after = ""
    while True:
        answer = world.rebuild.run(after=after, until=world.clock.now() + 30)
        for node in answer.nodes:
            findings += [node.finding, *(each.finding for each in node.containers)]
        after = answer.follows
        if not after:
            return findings


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 3), stories, st.integers(1, 4), st.sampled_from(("", *FAILING)))
def test_a_table_made_anew_says_what_the_lost_one_said(
    workers: int, story: list[tuple[Any, ...]], nodes_a_shard: int, failing: str
) -> None:
    world = live(workers, story)
    before = standing(world)
    world.store, world.nodes_a_shard = FakeStateStore(), nodes_a_shard
    if failing:
        world.engines.fail(failing, Unavailable("no answer"))
        rebuild(world)
    rebuild(world)

    assert standing(world) == before
    assert tuple(world.store.usage(tenant) for tenant in TENANTS) == before.usage
    for node in world.store.nodes():
        assert node.reserved.fits_in(node.capacity), "I1"
        held = world.store.containers_on(node.id)
        assert node.reserved == sum((each.request.reservation for each in held), NO_RESOURCES)
    assert_at_most_one_copy_runs(world)

    records = (world.store.nodes(), world.store.containers())
    assert set(rebuild(world)) == {Finding.THERE}
    assert (world.store.nodes(), world.store.containers()) == records
