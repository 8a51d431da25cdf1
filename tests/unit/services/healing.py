"""What happens to a fleet after an interruption: the schedule and the events, until nothing changes any more."""

from __future__ import annotations

from contextlib import suppress

from swarmkeeper.domain.model import NO_RESOURCES, Container, ContainerName, ContainerState, NodeId
from swarmkeeper.errors import Conflict, Unavailable
from swarmkeeper.ports import Command, CommandStatus, Event
from tests.fakes.crashes import Interruption
from tests.unit.services.world import World

TICK_S = 60.0
ROUNDS = 40
SETTLED = (ContainerState.RUNNING, ContainerState.PENDING)


def process(world: World, interruption: Interruption) -> World:
    """A process of its own over the world's ports, which is interrupted."""
    return World(
        clock=world.clock,
        store=interruption.over(world.store),
        engines=interruption.over(world.engines),
        commands=interruption.over(world.commands),
        events=interruption.over(world.events),
        pulls=interruption.over(world.pulls),
        watches=interruption.over(world.watches),
        fleet=world.fleet,
        swarm=world.swarm,
        random=world.random,
    )


def tick(world: World, acting: World | None = None) -> None:
    """One minute: the schedule runs, and its events and the ends of commands are served, by `acting` if given."""
    acting = acting or world
    world.clock.advance(TICK_S)
    world.events.published.clear()
    with suppress(Unavailable):
        acting.lifetimes.end_overdue()
    world.reconciler.nudge()
    end_pulls(world, acting)
    for detail in world.events.of(Event.PENDING_RETRY):
        with suppress(Conflict, Unavailable):  # the event source tries again, and so does the next tick
            serve(acting, detail)
    for node in world.store.nodes():
        with suppress(Unavailable):
            acting.inventory.check(node.id)
    assert_at_most_one_copy_runs(world)


def serve(acting: World, detail: dict[str, str]) -> None:
    if "name" in detail:
        acting.pending.settle_named(ContainerName(detail["name"]))
    else:
        acting.pending.retry()


def end_pulls(world: World, acting: World, *, lost: bool = False) -> None:
    """Every pull that is under way ends well; its event is served unless it is lost."""
    for sent in list(world.commands.sent):
        running = world.commands.result(sent.id, sent.node_id).status is CommandStatus.RUNNING
        if sent.command is not Command.PULL or not running:
            continue
        world.engines.pull(sent.node_id, sent.parameters["image"])
        world.commands.finish(sent.id)
        if not lost:
            image = acting.puller.ended(sent.node_id, sent.id, succeeded=True)
            acting.pending.image_pulled(sent.node_id, image, failure="")


def heal(world: World) -> None:
    """Let time pass until two rounds have changed nothing."""
    quiet = 0
    for _ in range(ROUNDS):
        before = world.store.containers()
        tick(world)
        settled = all(_is_at_rest(each, world.clock.now()) for each in world.store.containers())
        quiet = quiet + 1 if settled and before == world.store.containers() else 0
        if quiet == 2:
            return
    raise AssertionError(f"still not quiet: {world.store.containers()}")


def _is_at_rest(container: Container, now: float) -> bool:
    """Whether nothing more will happen to it of itself."""
    return container.state in SETTLED and container.rests_until <= now


def assert_sound(world: World) -> None:
    """I1, I2 and I3 hold, and engines and table agree."""
    assert_totals_are_sums(world)
    assert_at_most_one_copy_runs(world)
    for container in world.store.containers():
        assert container.state in SETTLED, container
        if container.state is ContainerState.RUNNING:
            assert world.engines.running(container.name) == [container.node], container
            assert container.engine_id == engine_ids(world, container.name)[str(container.node)]
        else:
            assert container.reason, container
            assert world.engines.running(container.name) == [], container
    known = {(str(each.node), each.name) for each in world.store.containers()}
    held = {(str(node), name) for node, name in on_engines(world)}
    assert held <= known, "copies that nobody knows"


def assert_totals_are_sums(world: World) -> None:
    for node in world.store.nodes():
        held = world.store.containers_on(node.id)
        assert node.containers == len(held), node
        assert node.reserved == sum((each.request.reservation for each in held), NO_RESOURCES)
        assert node.reserved.fits_in(node.capacity)


def assert_at_most_one_copy_runs(world: World) -> None:
    for _, name in on_engines(world):
        assert len(world.engines.running(name)) <= 1, name


def on_engines(world: World) -> set[tuple[NodeId, str]]:
    return {(node.id, name) for node in world.store.nodes() for name in world.engines.on(node.id).containers}


def engine_ids(world: World, name: str) -> dict[str, str]:
    found = {}
    for node in world.store.nodes():
        for held_name, held in world.engines.on(node.id).containers.items():
            if held_name == name:
                found[str(node.id)] = held.id
    return found
