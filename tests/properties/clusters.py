"""Hypothesis strategies for clusters with containers and images, and for requests with every kind of rule.

Values come from small sets, so that rules meet what they speak of, and borders are met often.
"""

from __future__ import annotations

from hypothesis import strategies as st

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    ContainerName,
    HostPort,
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
from swarmkeeper.domain.placement.facts import NodeFacts
from tests.fakes.builders import options
from tests.properties.strategies import PLACING

NAMES = st.sampled_from(["web-1", "web-2", "db", "c0", "c0ffee", "node-1/db", ""])
REFERENCES = st.sampled_from(
    ["web-1", "/web-1", "db", "n1/db", "node-1/web-2", "c0", "c0f", "c0ffee000000", "x9", "", ":"]
)
IDS = st.sampled_from(["", "c0ffee000000aaaa", "c0ffee000000bbbb", "sha256:c0ffee000000", "x9"])
LABELS = st.fixed_dictionaries({}, optional={"app": st.sampled_from(["web", "db", ""]), "tier": st.just("back")})
NODE_LABELS = st.fixed_dictionaries(
    {}, optional={"zone": st.sampled_from(["a", "b"]), "disk": st.sampled_from(["ssd", "hdd"])}
)
IMAGES = st.sampled_from(
    [
        Image("sha256:aa", ("nginx:latest", "web:1")),
        Image("sha256:bb", ("registry.example:5000/web:2",)),
        Image("sha256:cc"),
    ]
)
PORTS = st.builds(
    HostPort,
    st.sampled_from([0, 53, 80]),
    st.sampled_from(["tcp", "udp"]),
    st.sampled_from(["", "0.0.0.0", "::", "10.0.0.1", "10.0.0.2"]),
)
EXPOSED = st.lists(st.sampled_from(["80/tcp", "53/udp"]), max_size=2, unique=True).map(tuple)
MODES = st.sampled_from(["bridge", "bridge", "host", "none", "container:db"])
AMOUNTS = st.builds(
    lambda cpus, memory, gpus: Resources.of(cpus, memory, {"gpu": gpus}),
    st.integers(0, 6),
    st.integers(0, 6),
    st.sampled_from([0, 0, 0, 1, 2]),
)
OPTIONS = st.builds(
    options,
    PLACING,
    exact=st.booleans(),
    ports_by_protocol=st.booleans(),
    balance_over=st.sampled_from(["", "", "zone"]),
    prefer_local_images=st.booleans(),
)
SEEDS = st.one_of(st.none(), st.integers(0, 3))


def _expressions(keys: list[str], values: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    one = st.builds(
        lambda key, op, soft, value: f"{key}{op}{soft}{value}",
        st.sampled_from(keys),
        st.sampled_from(["==", "!="]),
        st.sampled_from(["", "", "~"]),
        st.sampled_from(values),
    )
    return st.lists(one, max_size=2).map(tuple)


CONSTRAINTS = _expressions(["node", "disk", "zone"], ["ssd", "a", "node-1", "n*", "/^$/", "/[12]$/", "s?sd"])
AFFINITIES = _expressions(
    ["container", "image", "app", "tier"],
    [
        "web-*",
        "db",
        "web",
        "/^c0/",
        "nginx",
        "/web:[0-9]/",
        "*",
        "/^$/",
        "back",
        "*eb*",
        "/b-/",
        "/(?i)^WEB/",
        "*-1",
        "/^[wd]eb-/",
        "/[bx]$/",
        "/^w|b$/",
        "*ff*",
        "/^we.-2/",
    ],
)
WHITELISTS = st.lists(
    st.sampled_from(["node==node-1|node-2", "node==~node-3", "other==node-*|node-0"]), max_size=1
).map(tuple)
RULES = st.builds(
    Rules,
    constraints=CONSTRAINTS,
    affinities=AFFINITIES,
    whitelists=WHITELISTS,
    ports=st.lists(PORTS, max_size=2).map(tuple),
    exposed=EXPOSED,
    network_mode=MODES,
    links=st.lists(REFERENCES.map(lambda reference: f"{reference}:alias"), max_size=1).map(tuple),
    volumes_from=st.lists(REFERENCES, max_size=1).map(tuple),
)


@st.composite
def requests(draw: st.DrawFn, number: int = 0) -> Request:
    """A request with mostly few rules."""
    plain = draw(st.booleans())
    return Request(
        name=ContainerName(f"new-{number}"),
        image=draw(st.sampled_from(["nginx", "web:1", "registry.example:5000/web:2", "docker.io/library/nginx", "x"])),
        reservation=draw(AMOUNTS),
        rules=Rules() if plain else draw(RULES),
        labels=draw(LABELS),
    )


@st.composite
def occupants(draw: st.DrawFn) -> Occupant:
    """A container of a node."""
    return Occupant(
        name=draw(NAMES),
        id=draw(IDS),
        swarm_id=draw(IDS),
        labels=draw(LABELS),
        reservation=draw(AMOUNTS),
        ports=draw(st.lists(PORTS, max_size=2).map(tuple)),
        exposed=draw(EXPOSED),
        network_mode=draw(MODES),
    )


@st.composite
def nodes(draw: st.DrawFn, number: int) -> NodeFacts:
    """A node with its totals; their sum may be above its capacity."""
    held = draw(st.lists(occupants(), max_size=4))
    record = Node(
        id=NodeId(f"n{number}"),
        pool=PoolName("workers"),
        role=draw(st.sampled_from([Role.WORKER] * 7 + [Role.MANAGER])),
        state=draw(st.sampled_from([NodeState.READY] * 7 + [NodeState.DRAINING])),
        created_at=draw(st.sampled_from([0.0, 0.5, 7.0])),
        state_since=0.0,
        capacity=Resources.of(draw(st.integers(0, 16)), draw(st.integers(0, 16)), {"gpu": draw(st.integers(0, 2))}),
        slots=draw(st.one_of(st.none(), st.none(), st.integers(-1, 5))),
        labels=draw(NODE_LABELS),
        health=draw(st.sampled_from([100, 100, 100, 67, 34, 0])),
    )
    facts = NodeFacts(record, images=tuple(draw(st.lists(IMAGES, max_size=2))), host_name=f"node-{number}")
    for occupant in held:
        facts = facts.holding(occupant)
    return facts


@st.composite
def clusters(draw: st.DrawFn, max_size: int = 6) -> list[NodeFacts]:
    """Nodes n0, n1, …, named node-0, node-1, …"""
    return [draw(nodes(number)) for number in range(draw(st.integers(0, max_size)))]
