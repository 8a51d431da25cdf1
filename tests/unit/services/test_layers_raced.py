"""A save and what others do at the same moment: on its nodes, at the command's service, at its move's other end."""

from __future__ import annotations

from contextlib import suppress

import pytest

from swarmkeeper.domain.membership import LeaveCause
from swarmkeeper.domain.model import ContainerState, Leaving
from swarmkeeper.errors import Conflict, Declined, InvariantBroken, Unavailable, Unreachable
from swarmkeeper.ports import RESERVATION_LEASE_S, Command, Event
from swarmkeeper.services.eviction import Evictor
from tests.fakes import a_request
from tests.unit.services.test_layers import (
    NEW,
    OLD,
    a_world,
    assert_runs_on_with_its_layer,
    drain,
    end_pull,
    keeper,
    lost_events,
    undrain,
    written,
)
from tests.unit.services.world import World


@pytest.fixture
def world() -> World:
    """A container has written something, and another node has room."""
    return a_world(keeper())


def test_one_that_was_removed_on_its_node_while_it_was_saved_starts_elsewhere_and_that_is_told(world: World) -> None:
    drain(world)
    world.engines.on(OLD).containers.clear()
    world.end_save(fails=True)
    told = world.events.of(Event.CONTAINER_LOST)
    assert [(each["name"], each["starts_from"]) for each in told] == [("web-1", "image")]
    assert "removed" in told[0]["reason"]
    assert world.container().moving_to is None
    assert world.inventory.check(OLD).gone == ("web-1",)
    world.pending.retry()
    assert world.engines.running("web-1") == [NEW]


def test_one_that_was_removed_on_its_node_is_not_waited_for_when_its_target_ends(world: World) -> None:
    drain(world)
    world.engines.on(OLD).containers.clear()
    world.drainer.bury(world.node(NEW), "its instance is gone")
    assert lost_events(world) == [{"name": "web-1", "starts_from": "image"}]
    assert (world.container().node, world.container().moving_to) == (OLD, None)


def test_an_old_copy_that_is_there_and_does_not_start_is_not_given_up(world: World) -> None:
    drain(world)
    world.engines.fail("resume", Conflict("its port is taken"))
    world.end_save(fails=True)
    assert lost_events(world) == []
    world.registrar.advance(OLD)
    assert_runs_on_with_its_layer(world)


def test_a_command_that_is_refused_for_good_leaves_it_running_and_the_drain_goes_on() -> None:
    world = a_world(keeper(), a_request("plain", movable=True))
    world.commands.fail("send", InvariantBroken("SendCommand: InvalidDocument"))
    told = drain(world)
    assert [(move.name, move.moved) for move in told.moves] == [("web-1", False), ("plain", True)]
    assert "InvalidDocument" in told.moves[0].detail
    assert world.engines.running("web-1") == [OLD]
    assert world.container().moving_to is None


def take_target_off(world: World) -> None:
    Evictor(store=world.store, engines=world.engines, fleet=world.fleet, mover=world.mover).take_off(world.node(NEW))


@pytest.mark.parametrize("method", ["remove", "stop"])
def test_a_target_that_ends_while_the_old_one_is_being_stopped_leaves_it_running(world: World, method: str) -> None:
    """The move was taken back, by one that started the old copy before it was stopped, in no time."""

    def happens() -> None:
        world.engines.meanwhile(method, lambda: None)
        take_target_off(world)

    world.engines.meanwhile(method, happens)
    drain(world)
    assert_runs_on_with_its_layer(world)
    assert world.container().lease_until == 0.0


def test_one_that_died_while_it_took_the_move_back_leaves_it_running(world: World) -> None:
    def happens() -> None:
        world.engines.meanwhile("stop", lambda: None)
        world.store.fail("cancel_move", Unavailable("the process has died"))
        with suppress(Unavailable):
            take_target_off(world)

    world.engines.meanwhile("stop", happens)
    drain(world)
    assert world.engines.running("web-1") == [OLD]
    assert world.container().lease_until == 0.0


def test_the_lease_is_given_back_although_the_end_of_the_save_was_noted_under_it(world: World) -> None:
    drain(world)
    sent = world.commands.last(Command.SAVE)
    world.run_save(sent)
    world.engines.fail("create", Unavailable("slow"))
    world.registrar.save_ended(OLD, sent.id)
    assert (world.container().is_saved, world.container().lease_until) == (True, 0.0)


def test_the_lease_is_given_back_although_the_save_was_made_void_under_it(world: World) -> None:
    drain(world)
    world.engines.fail("resume", Unavailable("slow"))
    world.end_save(fails=True)
    assert (world.engines.running("web-1"), world.container().lease_until) == ([], 0.0)


def test_a_copy_whose_start_was_not_answered_is_not_removed_with_what_it_writes(world: World) -> None:
    drain(world)
    world.end_save()
    world.engines.fail("start", Unavailable("too slow"), after=True)
    end_pull(world)
    assert world.engines.running("web-1") == [NEW]
    world.engines.write(NEW, "web-1", "more")
    assert [move.moved for move in world.registrar.advance(OLD).moves] == [True]
    assert (world.container().node, written(world, NEW)) == (NEW, ("notes", "more"))


def test_a_copy_that_has_run_and_ended_stays_too_when_the_drain_is_taken_back(world: World) -> None:
    drain(world)
    world.end_save()
    world.engines.fail("start", Unavailable("too slow"), after=True)
    end_pull(world)
    world.engines.write(NEW, "web-1", "more")
    world.engines.change(NEW, "web-1", running=False)
    undrain(world)
    assert (world.container().node, written(world, NEW)) == (NEW, ("notes", "more"))
    assert world.engines.on(OLD).containers == {}


@pytest.mark.parametrize("error", [Declined("no"), Unreachable("no connection")])
def test_a_copy_that_was_certainly_not_started_is_taken_back(world: World, error: Exception) -> None:
    drain(world)
    world.end_save()
    world.engines.fail("start", error)
    end_pull(world)
    assert_runs_on_with_its_layer(world)


def test_a_copy_that_arrived_on_a_node_whose_time_is_up_is_not_removed_in_silence(world: World) -> None:
    """The call that started it died before it could say so; it has written since, and its target ends."""
    drain(world)
    world.end_save()
    world.store.fail("finish_move", Unavailable("the process has died"))
    end_pull(world)
    world.engines.write(NEW, "web-1", "more")
    world.clock.advance(RESERVATION_LEASE_S)
    now = world.clock.now()
    assert drain(world, NEW, leaving=Leaving(LeaveCause.SPOT_INTERRUPTION, since=now, by=now)).more_to_do
    assert (world.container().node, written(world, NEW)) == (NEW, ("notes", "more"))
    assert world.engines.on(OLD).containers == {}
    world.registrar.advance(NEW)
    assert [each["starts_from"] for each in lost_events(world)] == ["snapshot"]
    assert world.container().state is ContainerState.PENDING
