"""One writer a shared volume, whatever meets, dies or comes again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.model import ContainerName, Request
from swarmkeeper.errors import NameTaken, Unavailable, VolumeTaken
from swarmkeeper.services.writers import CLAIM_S, Writers
from tests.fakes import a_request
from tests.unit.services.world import IMAGE, World

VOLUME = "acme/data"


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.with_worker("i-0a")
    world.with_worker("i-0b")
    return world


@pytest.fixture
def writers(world: World) -> Writers:
    return Writers(store=world.store, clock=world.clock)


def writer(name: str = "web-1") -> Request:
    return replace(a_request(name, image=IMAGE, movable=True), writes=(VOLUME,))


def created(world: World, request: Request) -> None:
    with Writers(store=world.store, clock=world.clock).claimed(request):
        world.placer.create(request)


def test_a_second_writer_is_refused_as_long_as_the_first_is_in_the_table(world: World) -> None:
    created(world, writer())
    world.clock.advance(10 * CLAIM_S)
    with pytest.raises(VolumeTaken, match="acme/data is written by web-1"):
        created(world, writer("web-2"))
    assert world.store.container(ContainerName("web-2")) is None


def test_a_writer_that_waits_for_room_holds_its_volume_too(world: World, writers: Writers) -> None:
    request = writer()
    with writers.claimed(request):
        world.store.park(request, reason="no room", now=world.clock.now())
    world.clock.advance(10 * CLAIM_S)
    with pytest.raises(VolumeTaken):
        created(world, writer("web-2"))


def test_the_volume_is_free_at_once_when_its_writer_is_gone(world: World) -> None:
    created(world, writer())
    world.placer.remove(ContainerName("web-1"))
    created(world, writer("web-2"))
    with pytest.raises(VolumeTaken):
        created(world, writer())


def test_a_writer_that_is_just_being_removed_still_holds_it(world: World) -> None:
    created(world, writer())
    world.engines.on(world.container().node or "").silent = True
    with pytest.raises(Unavailable):
        world.placer.remove(ContainerName("web-1"))
    with pytest.raises(VolumeTaken):
        created(world, writer("web-2"))


def test_the_same_request_again_is_no_second_writer(world: World) -> None:
    created(world, writer())
    created(world, writer())
    assert len(world.engines.running("web-1")) == 1


def test_who_reads_needs_no_leave(world: World) -> None:
    created(world, writer())
    created(world, a_request("web-2", image=IMAGE))
    assert world.container("web-2").request.writes == ()


def test_a_claim_of_a_call_that_died_ends_by_itself(world: World, writers: Writers) -> None:
    claim = writers.claimed(writer())
    claim.__enter__()  # and nothing more is ever heard of that call
    with pytest.raises(VolumeTaken, match="about to be written by web-1"):
        created(world, writer("web-2"))
    world.clock.advance(CLAIM_S + 1)
    created(world, writer("web-2"))


def test_a_request_that_is_refused_gives_its_volume_back(world: World) -> None:
    world.store.park(a_request("web-1", image=IMAGE), reason="another's", now=world.clock.now())
    with pytest.raises(NameTaken):
        created(world, writer())
    created(world, writer("web-2"))


def test_an_error_after_the_container_was_stored_keeps_its_claim(world: World, writers: Writers) -> None:
    request = writer()
    with pytest.raises(Unavailable), writers.claimed(request):
        world.placer.create(request)
        raise Unavailable("the answer was lost")
    with pytest.raises(VolumeTaken, match="is written by web-1"):
        created(world, writer("web-2"))


def test_of_two_that_claim_at_the_same_moment_one_gets_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    created(world, writer("old"))
    world.placer.remove(ContainerName("old"))
    store_fact = world.store.replace_fact
    met: list[str] = []

    def meeting(name: str, *, expected: str | None, value: str | None) -> None:
        if not met:
            met.append(name)
            created(world, writer("web-2"))
        store_fact(name, expected=expected, value=value)

    monkeypatch.setattr(world.store, "replace_fact", meeting)
    with pytest.raises(VolumeTaken):
        created(world, writer("web-1"))
    assert world.engines.running("web-2")
    assert not world.engines.running("web-1")


def test_a_move_keeps_the_one_writer(world: World) -> None:
    created(world, writer())
    source = world.node(world.container().node or "")
    assert world.mover.move(world.container(), source).moved
    with pytest.raises(VolumeTaken):
        created(world, writer("web-2"))
    assert len(world.engines.running("web-1")) == 1
