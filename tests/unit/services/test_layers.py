"""A move carries a container's own layer over, by the fleet's registry; nothing that it wrote is lost in silence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from swarmkeeper.domain.leaving import by_importance
from swarmkeeper.domain.membership import LeaveCause, NodeState
from swarmkeeper.domain.model import SNAPSHOT_LABEL, ContainerState, Leaving, NodeId, Request
from swarmkeeper.domain.scaling.movable import is_emptiable
from swarmkeeper.errors import AgentNotReady, Declined, Unavailable
from swarmkeeper.ports import RESERVATION_LEASE_S, Command, CommandStatus, Event, Layer
from swarmkeeper.services.drainer import MOVES_A_STEP
from swarmkeeper.services.layers import LONG_REST_S, MOST_BELOW, REST_S, SAVE_LIMIT_S, SAVES_AT_ONCE, LayerSettings
from swarmkeeper.services.progress import Progress
from tests.fakes import a_request
from tests.unit.services.test_managers import SECOND, come_back, fall_silent, with_managers
from tests.unit.services.test_managers import THIRD as THIRD_MANAGER
from tests.unit.services.world import DRAIN_LIMIT_S, FLEET, IMAGE, World

OLD, NEW, THIRD = NodeId("i-0000000000000000a"), NodeId("i-0000000000000000b"), NodeId("i-0000000000000000c")
GIB = 2**30


def keeper(name: str = "web-1") -> Request:
    request = a_request(name, movable=True)
    return replace(request, labels={**request.labels, SNAPSHOT_LABEL: "true"})


def drain(world: World, node_id: NodeId = OLD, *, leaving: Leaving | None = None) -> Progress:
    node = world.node(node_id)
    marked = replace(node, state=NodeState.DRAINING, state_since=world.clock.now(), reason="scale-in", leaving=leaving)
    world.store.save_node(marked)
    return world.registrar.advance(node_id)


def undrain(world: World) -> None:
    world.departures.take_back(OLD)
    world.registrar.advance(OLD)


def lose(world: World, node_id: NodeId = OLD) -> None:
    """The instance is gone, and what ran there."""
    world.fleet.vanish(node_id)
    world.engines.lose(node_id)
    world.commands.deregister(node_id)
    world.swarm.go_down(node_id)
    world.registrar.advance(node_id)


def written(world: World, node_id: NodeId, name: str = "web-1") -> tuple[str, ...]:
    return world.engines.on(node_id).containers[world.container(name).name].written


def end_pull(world: World) -> None:
    """The target has the snapshot; both functions hear of it."""
    sent = world.commands.last(Command.PULL)
    world.end_pull()
    world.registrar.pull_ended(sent.node_id, sent.id)


@pytest.fixture
def world() -> World:
    """A container has written something, and another node has room."""
    return a_world(keeper())


def a_world(*requests: Request) -> World:
    """The containers run on the old node; the first has written something."""
    world = World().with_manager()
    world.with_worker(OLD)
    for request in requests:
        world.placer.create(request)
    world.engines.write(OLD, requests[0].name, "notes")
    world.with_worker(NEW)
    return world


# The order.


def test_a_drain_stops_saves_pulls_and_starts_with_the_layer(world: World) -> None:
    begun = drain(world)
    assert [(move.moved, move.has_stopped) for move in begun.moves] == [(False, True)]
    sent = world.commands.last(Command.SAVE)
    container = world.container()
    assert container.save is not None
    assert sent.parameters == {
        "container": container.engine_id,
        "image": f"registry.example:5000/snapshots/demo/acme/web-1:{container.save.move_id}",
    }
    assert world.engines.running("web-1") == []
    world.clock.advance(30)
    world.end_save()
    saved = world.container()
    assert saved.is_saved
    assert saved.image.startswith("registry.example:5000/snapshots/demo/acme/web-1@sha256:")
    assert world.commands.last(Command.PULL).parameters == {"image": saved.image}
    end_pull(world)
    moved = world.container()
    assert (moved.state, moved.node, moved.moving_to, moved.save) == (ContainerState.RUNNING, NEW, None, None)
    assert moved.snapshot == saved.snapshot
    assert world.engines.running("web-1") == [NEW]
    assert written(world, NEW) == ("notes",)
    assert world.engines.on(OLD).containers == {}


def test_the_gap_is_counted_from_the_stop(world: World) -> None:
    drain(world)
    world.clock.advance(30)
    world.end_save()
    world.engines.pull(NEW, world.container().image)
    world.clock.advance(12)
    assert [move.gap_s for move in world.registrar.advance(OLD).moves] == [42.0]


def test_the_request_stays_as_it_is(world: World) -> None:
    before = world.container().request
    drain(world)
    world.end_save()
    end_pull(world)
    assert world.container().request == before
    assert world.engines.on(NEW).containers[before.name].request == before


def test_each_move_has_a_tag_of_its_own() -> None:
    world = a_world(keeper(), keeper("web-2"))
    drain(world)
    tags = {sent.parameters["image"].rpartition(":")[2] for sent in world.commands.sent if sent.command is Command.SAVE}
    assert len(tags) == 2


def test_a_second_move_carries_over_what_was_written_before_and_after_the_first(world: World) -> None:
    drain(world)
    world.end_save()
    end_pull(world)
    world.engines.write(NEW, "web-1", "more")
    world.with_worker(THIRD)
    drain(world, NEW)
    world.end_save()
    end_pull(world)
    assert written(world, THIRD) == ("notes", "more")


def test_without_the_label_a_move_saves_nothing() -> None:
    world = a_world(a_request("plain", movable=True))
    drain(world)
    assert world.container("plain").node == NEW
    assert written(world, NEW, "plain") == ()
    assert [sent for sent in world.commands.sent if sent.command is Command.SAVE] == []


def test_while_it_is_saved_others_calls_leave_it_alone(world: World) -> None:
    drain(world)
    before = world.container()
    again = world.registrar.advance(OLD)
    assert [move.detail for move in again.moves] == [f"its layer is being saved on {OLD} (command-1)"]
    assert world.container() == before
    assert len(world.commands.sent) == 1


def test_the_image_is_on_the_target_before_anything_is_stopped(world: World) -> None:
    world.engines.on(NEW).images.clear()
    drain(world)
    assert world.engines.running("web-1") == [OLD]
    assert world.commands.last(Command.PULL).parameters == {"image": IMAGE}
    world.engines.pull(NEW, IMAGE)
    world.registrar.advance(OLD)
    assert world.commands.last(Command.SAVE).node_id == OLD


def test_few_are_saved_at_once() -> None:
    world = a_world(keeper(), keeper("web-2"), keeper("web-3"))
    first = drain(world)
    assert first.more_to_do
    assert sum(move.has_stopped for move in first.moves) == SAVES_AT_ONCE == MOVES_A_STEP
    second = world.registrar.advance(OLD)
    assert f"others' layers are being saved on {OLD}" in [move.detail for move in second.moves]


def test_no_layer_is_measured_for_one_that_has_to_wait_for_others() -> None:
    """An engine takes long to add up what a container has written."""
    world = a_world(*(keeper(f"web-{at}") for at in range(1, 6)))
    drain(world)
    assert world.engines.calls["layer"] == SAVES_AT_ONCE
    world.registrar.advance(OLD)
    assert world.engines.calls["layer"] == SAVES_AT_ONCE


def test_a_layer_that_could_not_be_measured_is_not_measured_again_for_a_while(world: World) -> None:
    world.engines.fail("layer", Unavailable("too slow"))
    told = [drain(world).moves[0].detail, world.registrar.advance(OLD).moves[0].detail]
    assert told == ["its layer was not measured: too slow"] * 2
    assert world.engines.calls["layer"] == 1
    assert_runs_on_with_its_layer(world)
    world.clock.advance(REST_S)
    assert [move.has_stopped for move in world.registrar.advance(OLD).moves] == [True]


def test_a_command_that_ended_and_is_still_said_to_run_is_told_again(world: World) -> None:
    drain(world)
    sent = world.commands.last(Command.SAVE)
    with pytest.raises(Unavailable):
        world.registrar.save_ended(OLD, sent.id)
    assert world.end_save().state is NodeState.DRAINING


def test_without_a_registry_a_pulls_end_asks_nothing_of_moves(world: World) -> None:
    world.layer_settings = LayerSettings(FLEET)
    before = world.store.calls["containers_on"]
    assert "ignored" in world.registrar.pull_ended(NEW, "command-9").detail
    assert world.store.calls["containers_on"] == before


def test_the_end_of_a_command_that_no_move_waits_for_is_ignored(world: World) -> None:
    assert "ignored" in world.registrar.save_ended(OLD, "command-9").detail
    assert world.engines.running("web-1") == [OLD]


# It fails.


def assert_runs_on_with_its_layer(world: World) -> None:
    container = world.container()
    assert (container.state, container.node, container.moving_to) == (ContainerState.RUNNING, OLD, None)
    assert world.engines.running("web-1") == [OLD]
    assert world.engines.on(OLD).containers[container.name].connected
    assert written(world, OLD) == ("notes",)
    assert container.name not in world.engines.on(NEW).containers
    assert world.node(NEW).containers == 0


def test_after_a_push_that_failed_the_old_one_runs_again_and_is_tried_later(world: World) -> None:
    drain(world)
    world.end_save(fails=True)
    assert_runs_on_with_its_layer(world)
    told = world.registrar.advance(OLD)
    assert [move.detail for move in told.moves] == ["saving its layer failed (command-1): it broke"]
    assert len(world.commands.sent) == 1
    world.clock.advance(REST_S)
    world.registrar.advance(OLD)
    world.end_save()
    end_pull(world)
    assert written(world, NEW) == ("notes",)


def test_a_save_that_never_ends_is_given_up(world: World) -> None:
    drain(world)
    world.clock.advance(SAVE_LIMIT_S)
    world.registrar.advance(OLD)
    assert_runs_on_with_its_layer(world)


@pytest.mark.parametrize("error", [AgentNotReady("no agent"), Unavailable("lost")])
@pytest.mark.parametrize("after", [False, True])
def test_a_command_that_could_not_be_sent_leaves_it_running(world: World, error: Exception, after: bool) -> None:
    world.commands.fail("send", error, after=after)
    drain(world)
    assert_runs_on_with_its_layer(world)
    for sent in world.commands.sent:  # it came through after all, and finds the container running
        world.run_save(sent)
        assert world.commands.result(sent.id, OLD).status is CommandStatus.FAILED
        assert "ignored" in world.registrar.save_ended(OLD, sent.id).detail


def test_a_success_without_a_digest_is_a_failure(world: World) -> None:
    drain(world)
    sent = world.commands.last(Command.SAVE)
    world.commands.finish(sent.id, output="pushed\n")
    world.registrar.save_ended(OLD, sent.id)
    assert_runs_on_with_its_layer(world)
    assert world.container().snapshot is None


def test_a_snapshot_that_the_target_can_not_pull_leaves_it_running(world: World) -> None:
    drain(world)
    world.end_save()
    sent = world.commands.last(Command.PULL)
    world.commands.finish(sent.id, error="no space left", status=CommandStatus.FAILED)
    world.registrar.pull_ended(NEW, sent.id)
    assert_runs_on_with_its_layer(world)
    assert "no space left" in world.registrar.advance(OLD).moves[0].detail


def test_a_copy_that_does_not_start_leaves_the_old_one_running(world: World) -> None:
    drain(world)
    world.end_save()
    world.engines.fail("start", Declined("no such network yet"))
    end_pull(world)
    assert_runs_on_with_its_layer(world)


def test_the_drains_limit_takes_a_save_back_that_is_under_way(world: World) -> None:
    drain(world)
    world.clock.advance(DRAIN_LIMIT_S)
    world.registrar.advance(OLD)
    world.registrar.advance(OLD)
    assert world.engines.running("web-1") == [OLD]
    assert written(world, OLD) == ("notes",)
    assert world.container().moving_to is None


def test_a_drain_that_is_taken_back_starts_it_again(world: World) -> None:
    drain(world)
    undrain(world)
    assert_runs_on_with_its_layer(world)
    world.engines.write(OLD, "web-1", "more")
    drain(world)  # at once: nothing has failed
    world.end_save()
    end_pull(world)
    assert written(world, NEW) == ("notes", "more")


def test_what_was_saved_for_a_move_that_was_taken_back_is_not_used_for_the_next(world: World) -> None:
    drain(world)
    world.end_save()
    undrain(world)
    world.engines.write(OLD, "web-1", "more")
    drain(world)
    world.end_save()
    end_pull(world)
    assert written(world, NEW) == ("notes", "more")


def test_what_was_saved_is_void_before_the_old_one_runs_again(world: World) -> None:
    """The call that takes the move back dies behind the start; what runs writes, and ends before anybody looks."""
    drain(world)
    world.end_save()
    world.engines.pull(NEW, world.container().image)
    world.store.fail("cancel_move", Unavailable("the process has died"))
    with pytest.raises(Unavailable):
        undrain(world)
    world.engines.write(OLD, "web-1", "more")
    world.engines.change(OLD, "web-1", running=False)
    for _ in range(4):
        world.clock.advance(RESERVATION_LEASE_S)
        drain(world)
        if world.container().node == OLD:
            world.end_save()
            world.engines.pull(NEW, world.container().image)
    assert written(world, NEW) == ("notes", "more")


def test_one_that_somebody_has_started_meanwhile_is_not_moved_without_what_it_wrote_since(world: World) -> None:
    drain(world)
    world.end_save()
    world.engines.change(OLD, "web-1", running=True, connected=True)
    world.engines.write(OLD, "web-1", "more")
    end_pull(world)
    assert world.engines.running("web-1") == [OLD]
    assert written(world, OLD) == ("notes", "more")
    world.registrar.advance(OLD)
    world.end_save()
    end_pull(world)
    assert written(world, NEW) == ("notes", "more")


def test_one_that_ran_meanwhile_and_ended_again_is_not_moved_without_what_it_wrote_since(world: World) -> None:
    drain(world)
    world.end_save()
    world.clock.advance(10)
    world.engines.change(OLD, "web-1", running=True, started_at=world.clock.now())
    world.engines.write(OLD, "web-1", "more")
    world.engines.change(OLD, "web-1", running=False)
    end_pull(world)
    assert (world.engines.running("web-1"), written(world, OLD)) == ([OLD], ("notes", "more"))
    world.clock.advance(10)
    world.registrar.advance(OLD)
    world.end_save()
    end_pull(world)
    assert written(world, NEW) == ("notes", "more")


def test_without_a_leader_what_is_saved_waits_for_one() -> None:
    """Neither copy could start; to save it again would only take longer."""
    world = with_managers(SECOND, THIRD_MANAGER)
    world.with_worker(OLD)
    world.placer.create(keeper())
    world.engines.write(OLD, "web-1", "notes")
    world.with_worker(NEW)
    drain(world)
    world.end_save()
    world.engines.pull(NEW, world.container().image)
    for manager in (SECOND, THIRD_MANAGER):
        fall_silent(world, manager)
    waiting = world.mover.move(world.container(), world.node(OLD))
    assert "no leader" in waiting.detail
    assert world.container().is_saved
    for manager in (SECOND, THIRD_MANAGER):
        come_back(world, manager)
    world.clock.advance(60)
    assert world.mover.move(world.container(), world.node(OLD)).moved
    assert written(world, NEW) == ("notes",)


def test_a_copy_that_arrived_stays_although_the_drain_is_taken_back(world: World) -> None:
    """The call that started it died before it could say so; it has written since."""
    drain(world)
    world.end_save()
    saved, target = world.container(), world.node(NEW)
    world.engines.pull(NEW, saved.image)
    world.engines.start(target, world.engines.create(target, saved.request, image=saved.image))
    world.engines.write(NEW, "web-1", "more")
    undrain(world)
    assert written(world, NEW) == ("notes", "more")
    assert world.engines.running("web-1") == [NEW]
    assert (world.container().node, world.container().moving_to) == (NEW, None)
    assert world.engines.on(OLD).containers == {}


def test_a_copy_whose_start_was_not_answered_stays_where_it_runs(world: World) -> None:
    drain(world)
    world.end_save()
    world.engines.pull(NEW, world.container().image)
    world.engines.fail("start", Unavailable("lost"), after=True)
    world.registrar.advance(OLD)
    assert world.engines.running("web-1") == [NEW]
    world.registrar.advance(OLD)
    assert (world.container().node, world.container().moving_to) == (NEW, None)
    assert world.engines.running("web-1") == [NEW]
    assert written(world, NEW) == ("notes",)


# What is not saved.


def test_a_layer_over_the_limit_is_not_stopped(world: World) -> None:
    world.engines.change(OLD, "web-1", layer=Layer(GIB + 1, 5))
    told = drain(world)
    assert [move.detail for move in told.moves] == [
        "its layer of 1024 MiB is not saved: drain.snapshot_limit is 1024 MiB"
    ]
    assert_runs_on_with_its_layer(world)


def test_one_with_too_many_layers_below_is_not_stopped(world: World) -> None:
    world.engines.change(OLD, "web-1", layer=Layer(1, MOST_BELOW))
    drain(world)
    assert_runs_on_with_its_layer(world)
    assert world.container().save is not None


def test_a_fleet_whose_registry_was_taken_out_of_the_settings_moves_nothing_without_its_layer(world: World) -> None:
    world.layer_settings = LayerSettings(FLEET)
    told = drain(world)
    assert "images.registry" in told.moves[0].detail
    assert_runs_on_with_its_layer(world)


def test_scaling_does_not_choose_a_node_for_a_while_whose_container_can_not_be_saved(world: World) -> None:
    world.engines.change(OLD, "web-1", layer=Layer(GIB + 1, 5))
    held = [world.container()]
    assert is_emptiable(world.node(OLD), held, world.clock.now())
    drain(world)
    held = [world.container()]
    assert not is_emptiable(world.node(OLD), held, world.clock.now())
    assert is_emptiable(world.node(OLD), held, world.clock.now() + LONG_REST_S)


@pytest.mark.parametrize(("size_mib", "begins"), [(100, True), (999, False)])
def test_where_time_is_short_only_what_fits_it_is_saved(world: World, size_mib: int, begins: bool) -> None:
    """Two minutes, of which a command's way takes some, at 10 MiB a second."""
    world.engines.change(OLD, "web-1", layer=Layer(size_mib * 2**20, 5))
    now = world.clock.now()
    drain(world, leaving=Leaving(LeaveCause.SPOT_INTERRUPTION, since=now, by=now + 115))
    assert (world.engines.running("web-1") == []) is begins


def test_where_time_is_short_a_save_that_failed_is_tried_again_at_once(world: World) -> None:
    now = world.clock.now()
    drain(world, leaving=Leaving(LeaveCause.SPOT_INTERRUPTION, since=now, by=now + 115))
    world.end_save(fails=True)
    assert [move.has_stopped for move in world.registrar.advance(OLD).moves] == [True]
    world.end_save()
    end_pull(world)
    assert written(world, NEW) == ("notes",)


def test_where_time_is_short_a_layer_over_the_limit_is_not_measured_again(world: World) -> None:
    world.engines.change(OLD, "web-1", layer=Layer(GIB + 1, 5))
    now = world.clock.now()
    drain(world, leaving=Leaving(LeaveCause.SPOT_INTERRUPTION, since=now, by=now + 115))
    world.registrar.advance(OLD)
    assert world.engines.calls["layer"] == 1


def test_those_whose_layer_is_kept_are_moved_first() -> None:
    world = a_world(a_request("old", movable=True))
    world.placer.create(keeper())
    both = [world.container("old"), world.container()]
    assert [each.name for each in by_importance(both)] == ["web-1", "old"]


# Without a node to ask.


def lost_events(world: World) -> list[dict[str, str]]:
    told = world.events.of(Event.CONTAINER_LOST)
    return [{key: detail[key] for key in detail if key in ("name", "starts_from", "saved_at")} for detail in told]


def test_one_whose_node_is_lost_starts_from_its_last_snapshot_and_that_is_told(world: World) -> None:
    drain(world)
    saved_at = datetime.fromtimestamp(world.clock.now(), UTC).isoformat(timespec="seconds")
    world.clock.advance(30)
    world.end_save()
    end_pull(world)
    world.engines.write(NEW, "web-1", "more")
    world.with_worker(THIRD)
    lose(world, NEW)
    assert lost_events(world) == [{"name": "web-1", "starts_from": "snapshot", "saved_at": saved_at}]
    world.pending.retry()
    waiting = world.container()
    assert "is being pulled" in waiting.reason
    assert world.commands.last(Command.PULL).parameters == {"image": waiting.image}
    world.end_pull()
    assert world.container().state is ContainerState.RUNNING
    assert written(world, THIRD) == ("notes",)


def test_one_that_was_never_saved_starts_from_its_image_and_that_is_told(world: World) -> None:
    lose(world)
    assert lost_events(world) == [{"name": "web-1", "starts_from": "image"}]
    world.pending.retry()
    assert written(world, NEW) == ()


def test_one_without_the_label_is_not_told_of() -> None:
    world = a_world(keeper(), a_request("plain", movable=True))
    lose(world)
    assert [each["name"] for each in lost_events(world)] == ["web-1"]


def test_one_that_was_saved_when_its_node_was_lost_has_lost_nothing(world: World) -> None:
    drain(world)
    world.end_save()
    world.engines.pull(NEW, world.container().image)
    lose(world)
    assert lost_events(world) == []
    assert world.engines.running("web-1") == [NEW]
    assert written(world, NEW) == ("notes",)


def test_a_save_that_had_ended_is_read_when_its_node_is_lost(world: World) -> None:
    drain(world)
    world.run_save(world.commands.last(Command.SAVE))
    lose(world)
    assert lost_events(world) == []
    world.pending.retry()
    world.end_pull()
    assert written(world, NEW) == ("notes",)


def test_one_whose_save_was_cut_off_by_the_loss_is_told(world: World) -> None:
    drain(world)
    lose(world)
    assert lost_events(world) == [{"name": "web-1", "starts_from": "image"}]
    assert world.engines.running("web-1") == [NEW]


def test_the_end_of_an_interruption_takes_it_off_and_that_is_told(world: World) -> None:
    world.engines.change(OLD, "web-1", layer=Layer(GIB, 5))
    now = world.clock.now()
    drain(world, leaving=Leaving(LeaveCause.SPOT_INTERRUPTION, since=now, by=now + 115))
    assert world.engines.running("web-1") == [OLD]
    world.clock.advance(115)
    world.registrar.advance(OLD)
    assert lost_events(world) == [{"name": "web-1", "starts_from": "image"}]
    assert world.container().state is ContainerState.PENDING


def test_a_target_that_is_lost_gives_it_back_to_its_node(world: World) -> None:
    drain(world)
    world.end_save()
    lose(world, NEW)
    assert world.engines.running("web-1") == [OLD]
    assert written(world, OLD) == ("notes",)
    world.engines.write(OLD, "web-1", "more")
    world.with_worker(THIRD)
    world.registrar.advance(OLD)
    world.end_save()
    end_pull(world)
    assert written(world, THIRD) == ("notes", "more")
    assert lost_events(world) == []
