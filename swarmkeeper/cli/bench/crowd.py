"""A made-up fleet to place on: nodes of three shapes, full to about two thirds, and what runs on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    NANO_CPUS_PER_CPU,
    ContainerName,
    Image,
    Node,
    NodeId,
    Occupant,
    PoolName,
    Request,
    Resources,
    Role,
    Rules,
)
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.facts import NodeFacts

MIB = 2**20
ZONES = ("a", "b", "c")
RACKS = 40
FLAGS = 20
IMAGES = 40
IMAGES_A_NODE = 15
APPS = 60
TENANTS = 200
FULL_TO = 0.6
"""The share that is reserved: an affinity to one container needs room on that one node, and most must find it."""

SIZES = tuple(
    Resources(round(cpus * NANO_CPUS_PER_CPU), memory_mib * MIB)
    for cpus, memory_mib in (
        (0.1, 128),
        (0.25, 256),
        (0.25, 512),
        (0.5, 512),
        (0.5, 1024),
        (0.5, 2048),
        (1, 1024),
        (1, 2048),
        (1, 4096),
        (2, 2048),
        (2, 4096),
        (2, 8192),
        (4, 8192),
        (4, 16384),
    )
)
"""Sizes as users choose them."""
SHAPES = ((1.0, 1.0), (1.3, 0.8), (0.8, 1.4))
"""CPU and memory of general, compute and memory instances, against what their containers need on average."""


def drawn_sizes(random: Random, number: int) -> tuple[Resources, ...]:
    """Sizes that nobody chose: any number of thousandths of a CPU and of bytes."""
    return tuple(
        Resources(random.randrange(50, 4000) * 10**6, random.randrange(64 * MIB, 8192 * MIB)) for _ in range(number)
    )


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request with the id that its engine will give the container."""

    request: Request
    engine_id: str

    @property
    def occupant(self) -> Occupant:
        return occupant_of(self.request, self.engine_id)


class Crowd:
    """Draws nodes and containers, by a seed. Names are unique."""

    def __init__(self, seed: int, sizes: Sequence[Resources]) -> None:
        self._random = Random(seed)  # noqa: S311  # crowds, not secrets
        self._sizes = sizes
        self._serial = 0
        self.images = tuple(
            Image(f"sha256:{self._random.getrandbits(256):064x}", (f"registry.example:5000/team/app-{number}:1",))
            for number in range(IMAGES)
        )

    def nodes(self, number: int, containers: int) -> list[NodeFacts]:
        """Nodes with so many containers each."""
        mean = sum(self._sizes, Resources())
        need = Resources(
            round(mean.nano_cpus / len(self._sizes) * containers / FULL_TO),
            round(mean.memory_bytes / len(self._sizes) * containers / FULL_TO),
        )
        return [self._filled(self._node(shape, need), containers) for shape in self._shapes(number)]

    def arrival(self, rules: Rules | None = None, reservation: Resources | None = None) -> Arrival:
        """A container that is wanted."""
        self._serial += 1
        number = self._random.randrange(APPS)
        tenant = f"t{self._random.randrange(TENANTS):03}"
        request = Request(
            name=ContainerName(f"{tenant}-app-{number}-{self._serial}"),
            image=self._random.choice(self.images).tags[0],
            reservation=reservation or self._random.choice(self._sizes),
            rules=rules or Rules(),
            labels={"app": f"app-{number}", "tenant": tenant, "tier": self._random.choice(("web", "job", "db"))},
            tenant=tenant,
        )
        return Arrival(request, f"{self._random.getrandbits(256):064x}")

    def _shapes(self, number: int) -> list[tuple[float, float]]:
        return [self._random.choice(SHAPES) for _ in range(number)]

    def _node(self, shape: tuple[float, float], need: Resources) -> Node:
        cpus, memory = shape
        whole_cpus = -(-round(need.nano_cpus * cpus) // NANO_CPUS_PER_CPU)
        whole_gib = -(-round(need.memory_bytes * memory) // 2**30)
        flags = {f"flag-{flag}": self._random.choice(("yes", "no")) for flag in range(FLAGS)}
        return Node(
            id=NodeId(f"i-{self._random.getrandbits(68):017x}"),
            pool=PoolName("workers"),
            role=Role.WORKER,
            state=NodeState.READY,
            created_at=0.0,
            state_since=0.0,
            capacity=Resources(whole_cpus * NANO_CPUS_PER_CPU, whole_gib * 2**30),
            labels=flags
            | {
                "zone": self._random.choice(ZONES),
                "rack": f"r{self._random.randrange(RACKS):02}",
                "operatingsystem": "Debian GNU/Linux 12",
            },
        )

    def _filled(self, node: Node, containers: int) -> NodeFacts:
        held: list[Occupant] = []
        while len(held) < containers:
            occupant = self.arrival().occupant
            if not (node.reserved + occupant.reservation).fits_in(node.capacity):
                occupant = replace(occupant, reservation=self._smallest)
            held.append(occupant)
            node = node.holding(occupant.reservation)
        images = tuple(self._random.sample(self.images, IMAGES_A_NODE))
        return NodeFacts(node, tuple(held), images)

    @property
    def _smallest(self) -> Resources:
        return min(self._sizes, key=lambda size: (size.nano_cpus + size.memory_bytes, size.nano_cpus))
