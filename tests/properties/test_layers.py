"""What a container has written survives any order of drains, losses and faults, or its loss is told."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from hypothesis import example, given, settings
from hypothesis import strategies as st

from swarmkeeper.domain.membership import LeaveCause, NodeState
from swarmkeeper.domain.model import ContainerState, NodeId, Role
from swarmkeeper.errors import Conflict, Unavailable, UnsafeAction
from tests.unit.services.test_layers import lose
from tests.unit.services.test_layers_cut_off import NAME, Story

FAULTS = (
    "store.begin_move", "store.note_save", "store.finish_move", "store.cancel_move", "store.lease", "store.unplace",
    "engines.create", "engines.start", "engines.stop", "engines.resume", "engines.remove", "engines.containers",
    "engines.layer", "commands.send", "commands.result", "events.publish",
)  # fmt: skip
WORKERS = 3
ROUNDS = 60
Act = tuple[str, int, str, bool]
ACTS = st.tuples(
    st.sampled_from(["tick", "tick", "tick", "drain", "drain", "take back", "lose", "fail", "fail"]),
    st.integers(0, 5),
    st.sampled_from(FAULTS),
    st.booleans(),
)


class AnyStory(Story):
    """Its nodes come and go."""

    def __init__(self) -> None:
        super().__init__(0)
        self.acting = self.world
        self.joined = 100

    def do(self, act: Act) -> None:
        what, which, fault, after = act
        workers = [node.id for node in self.world.store.nodes() if node.role is Role.WORKER]
        node_id = workers[which % len(workers)] if workers else None
        with suppress(Unavailable, Conflict, UnsafeAction):
            match what:
                case "tick":
                    self.tick()
                case "fail":
                    port, _, method = fault.partition(".")
                    getattr(self.world, port).fail(method, Unavailable(f"{fault} is away"), after=after)
                case "drain" if node_id:
                    self.world.departures.ask(node_id, LeaveCause.OPERATOR, note="an operator")
                case "take back" if node_id:
                    self.world.departures.take_back(node_id)
                case "lose" if node_id:
                    lose(self.world, node_id)
        self.refill()

    def refill(self) -> None:
        """As its group would."""
        while sum(node.state is NodeState.READY for node in self.world.store.nodes()) < WORKERS + 1:
            self.joined += 1
            self.world.with_worker(NodeId(f"i-{self.joined:017d}"))

    def end_well(self) -> None:
        for _ in range(ROUNDS):
            self.tick()
            container = self.world.container()
            if container.state is ContainerState.RUNNING and container.moving_to is None:
                with suppress(Unavailable, Conflict):
                    return self.check()
        raise AssertionError(f"still not quiet: {self.world.container()}")

    def check(self) -> None:
        container = self.world.container()
        assert self.world.engines.running(NAME) == [container.node]
        kept = self.world.engines.on(str(container.node)).containers[container.name].written
        assert pieces_missing(self.wrote, kept) <= len(self.lost)


def pieces_missing(wrote: Sequence[str], kept: Sequence[str]) -> int:
    """How many pieces of what was written are not there; what is there must be in order."""
    there = set(kept)
    assert [line for line in wrote if line in there] == list(kept)
    flags = [line in there for line in wrote]
    return sum(1 for before, now in zip([True, *flags], flags, strict=False) if before and not now)


STARTED_UNHEARD: list[Act] = [
    *[("drain", 0, FAULTS[0], False), ("drain", 2, FAULTS[0], False)],
    *[("tick", 0, FAULTS[0], False)] * 2,
    ("drain", 3, FAULTS[0], False),
    *[("tick", 0, FAULTS[0], False)] * 2,
    *[("fail", 0, "engines.start", True), ("fail", 0, "store.note_save", True)],
    ("tick", 0, FAULTS[0], False),
]
"""A copy was started unheard, and taking it back was cut off: it had written by the next look."""


@settings(max_examples=150, deadline=None)
@example(STARTED_UNHEARD)
@given(st.lists(ACTS, max_size=20))
def test_nothing_is_lost_in_silence(acts: list[Act]) -> None:
    story = AnyStory()
    story.write()
    for act in acts:
        story.do(act)
    for port in (story.world.store, story.world.engines, story.world.commands, story.world.events):
        port.recover()
    story.end_well()
