"""Waiting requests: their order, one pass at a time, and what becomes of those that nobody waits for any more."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from swarmkeeper.domain.model import Container, ContainerName, ContainerState, NodeId, Rules
from swarmkeeper.errors import Declined, InvalidInput, Unavailable
from swarmkeeper.ports import Command, Event
from swarmkeeper.services.one_pass import PASS_S, OnePass
from swarmkeeper.services.pending import BEGIN_WITHIN_S, BURST_S, in_turn
from swarmkeeper.services.placer import NEXT_WITHIN_S
from tests.fakes import FakeStateStore, FixedClock, a_request
from tests.unit.services.world import IMAGE, World


@pytest.fixture
def world() -> World:
    return World().with_manager()


def waiting(name: str, tenant: str, at: float) -> Container:
    return Container(a_request(name, tenant=tenant), ContainerState.PENDING, at, reason="full")


def test_tenants_have_their_turns_and_each_its_oldest_first() -> None:
    crowd = [waiting(f"a-{number}", "acme", 10.0 + number) for number in range(4)]
    few = [waiting("b-1", "birch", 12.5), waiting("b-0", "birch", 11.5)]
    assert [each.name for each in in_turn([*crowd, *few])] == ["a-0", "b-0", "a-1", "b-1", "a-2", "a-3"]


def test_the_tenant_that_has_waited_longest_begins() -> None:
    assert [each.name for each in in_turn([waiting("b", "birch", 2.0), waiting("a", "acme", 1.0)])] == ["a", "b"]


def test_of_one_burst_the_hardest_to_place_go_first_and_equal_ones_by_age() -> None:
    burst = [
        Container(a_request("small-b", cpus=0.5), ContainerState.PENDING, 1.0),
        Container(a_request("small-a", cpus=0.5), ContainerState.PENDING, 2.0),
        Container(a_request("large", cpus=2), ContainerState.PENDING, 3.0),
        Container(a_request("picky", cpus=0.5, constraints=("disk==ssd",)), ContainerState.PENDING, 4.0),
        Container(a_request("much-memory", cpus=0.5, memory_mib=300), ContainerState.PENDING, 5.0),
    ]
    later = Container(a_request("later", cpus=4), ContainerState.PENDING, 1.0 + BURST_S + 0.1)
    names = [each.name for each in in_turn([later, *burst])]
    assert names == ["picky", "large", "much-memory", "small-b", "small-a", "later"]


def test_of_one_burst_those_that_lean_on_others_go_last_oldest_first() -> None:
    base, web, shell = (a_request(name, cpus=cpus) for name, cpus in (("base", 0.1), ("web", 1), ("shell", 2)))
    burst = [
        Container(base, ContainerState.PENDING, 1.0),
        Container(replace(web, rules=Rules(links=("base",))), ContainerState.PENDING, 2.0),
        Container(replace(shell, rules=Rules(affinities=("container==web",))), ContainerState.PENDING, 3.0),
        Container(a_request("large", cpus=1.5), ContainerState.PENDING, 4.0),
    ]
    assert [each.name for each in in_turn(burst)] == ["large", "base", "web", "shell"]


def test_what_is_bought_for_some_is_not_filled_by_others_of_their_burst(world: World) -> None:
    for number in range(2):
        world.placer.create(a_request(f"any-{number}"))
    world.clock.advance(1)
    world.placer.create(a_request("large", cpus=1.5))
    world.with_worker("i-0a")
    world.store.save_node(replace(world.node("i-0a"), capacity=a_request(cpus=2, memory_mib=2048).reservation))
    assert [each.name for each in world.pending.retry()] == ["any-1"]


def test_nothing_waits_in_an_empty_queue() -> None:
    assert in_turn([]) == ()


def test_room_is_shared_between_tenants(world: World) -> None:
    for number in range(5):
        world.placer.create(a_request(f"a-{number}", tenant="acme"))
        world.clock.advance(1)
    world.placer.create(a_request("b-0", tenant="birch"))
    world.with_worker("i-0a", slots=2)
    world.pending.retry()
    assert {each.name for each in world.store.containers() if each.state is ContainerState.RUNNING} == {"a-0", "b-0"}


def test_a_request_that_fits_nowhere_does_not_hold_up_smaller_ones(world: World) -> None:
    world.placer.create(a_request("large", cpus=2))
    world.clock.advance(1)
    world.placer.create(a_request("small", cpus=0.5))
    world.with_worker("i-0a")
    world.store.save_node(replace(world.node("i-0a"), capacity=a_request(cpus=1).reservation))
    assert [each.name for each in world.pending.retry()] == ["large"]


def test_the_likes_of_what_fits_nowhere_get_its_reason_without_a_decision(world: World) -> None:
    for number in range(30):
        world.placer.create(a_request(f"web-{number}"))
    world.with_worker("i-0a", slots=0)
    asked = world.store.calls["nodes"]
    assert len({each.reason for each in world.pending.retry()}) == 1
    assert world.store.calls["nodes"] - asked <= 2


def test_who_may_stand_beside_what_is_just_placed_is_decided_anew(world: World) -> None:
    for name, affinities in (("b-1", ("container==a",)), ("b-2", ("container==a",))):
        request = a_request(name)
        world.placer.create(replace(request, rules=replace(request.rules, affinities=affinities)))
        world.clock.advance(1)
    world.placer.create(a_request("a", tenant="other"))
    world.with_worker("i-0a")
    assert [each.name for each in world.pending.retry()] == ["b-1"]
    assert world.pending.retry() == ()


def test_an_engine_that_refuses_a_waiting_request_is_told_to_the_world(world: World) -> None:
    world.placer.create(a_request("web-1"))
    world.with_worker("i-0a")
    world.engines.refuse(IMAGE, "Cmd", "no such file")
    assert world.pending.retry() == ()
    [told] = world.events.of(Event.CONTAINER_REFUSED)
    assert (told["name"], told["reason"]) == ("web-1", "Cmd: no such file")


def test_what_an_engine_refuses_to_run_rests_longer_each_time_however_often_it_is_asked_for(world: World) -> None:
    """Each failed copy's removal is an end, which is told, which makes all that waits try again."""
    world.with_worker("i-0a")
    world.engines.fail("start", Declined("500 unable to find user nobody-here"), times=1_000)
    world.placer.create(a_request("bad"))
    tries = []
    for second in range(1, 1_301):
        world.clock.advance(1)
        before = world.engines.calls["create"]
        world.pending.retry()
        tries += [second] * (world.engines.calls["create"] - before)
    assert tries == [20, 60, 140, 300, 620, 1220]
    assert world.node("i-0a").containers == 0


def test_one_that_rests_does_not_hold_up_others_and_is_tried_on_other_nodes_at_once(world: World) -> None:
    world.with_worker("i-0a")
    world.with_worker("i-0b")
    world.engines.fail("start", Declined("500 no space left"))
    assert world.placer.create(a_request("web-1")).state is ContainerState.RUNNING
    ran = world.container("web-1")
    assert (ran.refusals, ran.rests_until) == (0, 0.0)


def test_a_round_whose_first_engine_took_long_and_refused_tries_no_other(world: World) -> None:
    """Else it might be cut off in the middle, and what it held waited for its lease's end."""
    world.placer.create(a_request("web-1"))
    for node in ("i-0a", "i-0b"):
        world.with_worker(node)
    world.engines.meanwhile("create", partial(world.clock.advance, NEXT_WITHIN_S + 1))
    world.engines.fail("create", Declined("500 busy"))
    assert [each.name for each in world.pending.retry()] == ["web-1"]
    assert world.engines.calls["create"] == 1


def test_what_goes_on_late_after_a_pull_and_is_refused_tries_no_other_engine(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.on("i-0a").images.clear()
    world.placer.create(a_request("web-1"))
    world.with_worker("i-0b")
    sent = world.commands.last(Command.PULL)
    world.engines.pull(NodeId("i-0a"), IMAGE)
    began = world.engines.calls["create"]
    world.engines.fail("start", Declined("500 no space left"))
    world.pending.image_pulled(sent.node_id, IMAGE, failure="", begun=world.clock.now() - NEXT_WITHIN_S - 1)
    assert world.container("web-1").state is ContainerState.PENDING
    assert world.engines.calls["create"] == began + 1


@pytest.mark.parametrize("fails", [False, True])
def test_those_that_there_is_no_time_for_after_a_pull_go_on_by_an_event_each(world: World, fails: bool) -> None:
    world.with_worker("i-0a")
    world.engines.on("i-0a").images.clear()
    names = [f"web-{number}" for number in range(3)]
    for name in names:
        world.placer.create(a_request(name))
    world.with_worker("i-0b")
    began = dict(world.engines.calls)
    world.engines.meanwhile("create", partial(world.clock.advance, BEGIN_WITHIN_S + 1))
    world.end_pull(fails=fails)
    assert world.engines.calls["create"] == began["create"] + 1
    told = [detail["name"] for detail in world.events.of(Event.PENDING_RETRY)]
    assert len(told) == 2
    assert set(told) < set(names)


def test_what_is_settled_by_name_and_refused_is_told_too(world: World) -> None:
    world.with_worker("i-0a")
    world.engines.fail("create", Unavailable("lost"))
    world.placer.create(a_request("web-1"))
    world.engines.refuse(IMAGE, "Cmd", "no such file")
    assert world.pending.settle_named(ContainerName("web-1")) is None
    assert len(world.events.of(Event.CONTAINER_REFUSED)) == 1


def test_one_pass_at_a_time_and_one_more_for_all_who_came_meanwhile() -> None:
    store, clock = FakeStateStore(), FixedClock()
    rounds: list[int] = []

    def go_round() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            assert [OnePass(store=store, clock=clock).run(lambda: rounds.append(99)) for _ in range(5)] == [False] * 5

    assert OnePass(store=store, clock=clock).run(go_round)
    assert rounds == [1, 1]
    assert OnePass(store=store, clock=clock).run(lambda: None)


def test_a_pass_that_fails_lets_the_next_one_in() -> None:
    one_pass = OnePass(store=FakeStateStore(), clock=FixedClock())

    def fail() -> None:
        raise InvalidInput("x", "is wrong")

    with pytest.raises(InvalidInput):
        one_pass.run(fail)
    assert one_pass.run(lambda: None)


def test_a_pass_whose_function_died_is_taken_over_in_time() -> None:
    store, clock = FakeStateStore(), FixedClock()
    store.fail("replace_fact", Unavailable("gone"), after=True)
    with pytest.raises(Unavailable):
        OnePass(store=store, clock=clock).run(lambda: None)
    assert not OnePass(store=store, clock=clock).run(lambda: None)
    clock.advance(PASS_S)
    assert OnePass(store=store, clock=clock).run(lambda: None)
