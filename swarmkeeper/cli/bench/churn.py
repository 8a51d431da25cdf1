"""Placing while containers come and go, measured and checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from time import perf_counter_ns, process_time_ns, thread_time_ns

from swarmkeeper.cli.bench.crowd import Arrival, Crowd
from swarmkeeper.cli.bench.figures import yardstick_ns
from swarmkeeper.cli.bench.scenarios import Draw
from swarmkeeper.domain.model import NodeId, Occupant
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.index import Choice, ClusterIndex
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.scheduler import decide
from swarmkeeper.domain.placement.wish import wish_of

CHECKED_EVERY = 100
"""Decisions of which the first is also made by the plain scheduler, on values that the index never sees."""


@dataclass(slots=True)
class Measured:
    """What a run took; times in nanoseconds.

    Single decisions are timed by the wall and by the CPU in turn, block by block: reading two clocks each time would
    be a part of what they tell.
    """

    cpu_ns: int = 0
    wall_ns: int = 0
    each_ns: list[int] = field(default_factory=list)
    each_cpu_ns: list[int] = field(default_factory=list)
    failed: int = 0
    checked: int = 0
    mismatched: int = 0
    yardsticks_ns: list[int] = field(default_factory=list)
    """What the same fixed work took of the CPU, once for each block."""

    @property
    def decisions(self) -> int:
        return len(self.each_ns) + len(self.each_cpu_ns)


Place = tuple[NodeId, str]
"""A node and the name of a container on it."""


class Churn:
    """A fleet in which as many containers leave as are placed.

    Each decision has a seed for its ties, as in a live fleet. Blocks of requests are drawn and checked outside the
    measured time. Inside are, for each decision: parsing the request, choosing, adding the container and removing the
    one that leaves.
    """

    def __init__(self, nodes: list[NodeFacts], crowd: Crowd, options: PlacementOptions, random: Random) -> None:
        self._crowd = crowd
        self._options = options
        self._random = random
        self._nodes = {node.id: node for node in nodes}
        self._there: list[Place] = [(node.id, each.name) for node in nodes for each in node.occupants]
        self.index = ClusterIndex(options)
        for node in nodes:
            self.index.put(node)

    def run(self, draw: Draw, decisions: int) -> Measured:
        """Place so many requests, whose rules are drawn."""
        measured = Measured()
        while measured.decisions < decisions:
            # Of a small fleet no more leaves at once than stays.
            size = min(CHECKED_EVERY, decisions - measured.decisions, len(self._there) // 2)
            leaving = [self._taken_out() for _ in range(size)]
            names = [self._random.choice(self._there)[1] for _ in range(size)]
            arrivals = [self._crowd.arrival(draw(self._random, [name])) for name in names]
            seeds = [self._random.getrandbits(32) for _ in range(size)]
            expected = decide(arrivals[0].request, list(self._nodes.values()), self._options, seed=seeds[0])
            measured.yardsticks_ns.append(yardstick_ns())
            choices = self._block(arrivals, leaving, seeds, measured)
            first, best = choices[0], expected.candidates[0] if expected.candidates else None
            alike = (first.node_id, first.pass_, first.rejections) == (
                None if best is None else best.node.id,
                expected.pass_,
                expected.rejections,
            )
            measured.checked += 1
            measured.mismatched += not alike
            self._follow(arrivals, leaving, choices)
            measured.failed += sum(choice.node_id is None for choice in choices)
        return measured

    def _block(
        self, arrivals: list[Arrival], leaving: list[Place], seeds: list[int], measured: Measured
    ) -> list[Choice]:
        """The measured part."""
        index, options = self.index, self._options
        by_cpu = measured.checked % 2 == 1
        each_ns = measured.each_cpu_ns if by_cpu else measured.each_ns
        clock = thread_time_ns if by_cpu else perf_counter_ns
        choices: list[Choice] = []
        cpu, began = process_time_ns(), perf_counter_ns()
        before = clock()
        for arrival, (leaving_node, leaving_name), seed in zip(arrivals, leaving, seeds, strict=True):
            choice = index.choose(wish_of(arrival.request, options), seed=seed)
            if choice.node_id is not None:
                index.hold(choice.node_id, occupant_of(arrival.request, arrival.engine_id))
                index.drop(leaving_node, leaving_name)
            choices.append(choice)
            now = clock()
            each_ns.append(now - before)
            before = now
        measured.wall_ns += perf_counter_ns() - began
        measured.cpu_ns += process_time_ns() - cpu
        return choices

    def _follow(self, arrivals: list[Arrival], leaving: list[Place], choices: list[Choice]) -> None:
        """Do to the plain values what was done to the index."""
        for arrival, choice, place in zip(arrivals, choices, leaving, strict=True):
            if choice.node_id is None:
                self._there.append(place)  # where nothing comes, nothing leaves
                continue
            self._nodes[choice.node_id] = self._nodes[choice.node_id].holding(arrival.occupant)
            self._nodes[place[0]] = without(self._nodes[place[0]], place[1])
            self._there.append((choice.node_id, arrival.request.name))

    def _taken_out(self) -> Place:
        at = self._random.randrange(len(self._there))
        self._there[at], self._there[-1] = self._there[-1], self._there[at]
        return self._there.pop()


def without(node: NodeFacts, name: str) -> NodeFacts:
    """The node as it is when a container has left."""
    left: Occupant = next(each for each in node.occupants if each.name == name)
    record = node.node
    record = replace(record, reserved=record.reserved - left.reservation, containers=record.containers - 1)
    return replace(node, node=record, occupants=tuple(each for each in node.occupants if each is not left))
