from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import HostPort, Image, Node, NodeId, Occupant, Resources, Role, Rules
from swarmkeeper.domain.placement.expressions import InvalidExpression
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.filters import filters_of, first_rejection
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.reasons import Reason, Rejection
from swarmkeeper.domain.placement.wish import Wish, wish_of
from tests.unit.domain.builders import a_node, a_request, options, resources


def rejected(node: NodeFacts | Node, wish: Wish, placing: PlacementOptions | None = None) -> Rejection | None:
    facts = node if isinstance(node, NodeFacts) else NodeFacts(node)
    return first_rejection(facts, wish, filters_of(placing or options()))


def a_wish(rules: Rules = Rules(), *, cpus: float = 0, memory_mib: int = 0) -> Wish:  # noqa: B008  Rules is a value
    return wish_of(replace(a_request(cpus=cpus, memory_mib=memory_mib), rules=rules), options())


def holding(*occupants: Occupant, images: tuple[Image, ...] = ()) -> NodeFacts:
    return NodeFacts(a_node("i-0a"), occupants, images, host_name="node-1")


def reason_of(rejection: Rejection | None) -> Reason | None:
    return None if rejection is None else rejection.reason


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        pytest.param(a_node(), None, id="room"),
        pytest.param(a_node(role=Role.MANAGER), Reason.ROLE, id="manager"),
        pytest.param(a_node(state=NodeState.JOINING), Reason.STATE, id="joining"),
        pytest.param(a_node(state=NodeState.DRAINING), Reason.STATE, id="draining"),
        pytest.param(a_node(state=NodeState.GONE), Reason.STATE, id="gone"),
        pytest.param(a_node(health=1), None, id="barely healthy"),
        pytest.param(a_node(health=0), Reason.HEALTH, id="unhealthy"),
        pytest.param(a_node(containers=3, slots=4), None, id="last slot"),
        pytest.param(a_node(containers=4, slots=4), Reason.CONTAINERSLOTS, id="no slot"),
        pytest.param(a_node(slots=-2), Reason.CONTAINERSLOTS, id="negative slots"),
        pytest.param(a_node(reserved=resources(1.5, 1792)), None, id="exact fit"),
        pytest.param(a_node(reserved=resources(1.5, 1793)), Reason.RESOURCES, id="memory short"),
        pytest.param(a_node(reserved=resources(1.500000001, 0)), Reason.RESOURCES, id="one nano-CPU short"),
    ],
)
def test_a_node_is_rejected_for_the_first_thing_it_lacks(node: Node, reason: Reason | None) -> None:
    assert reason_of(rejected(node, a_wish(cpus=0.5, memory_mib=256))) == reason


@pytest.mark.parametrize(
    ("constraint", "fits"),
    [
        *(("node==i-0a", True), ("node==i-0b", False), ("node==i-*", True), ("node!=i-0b", True)),
        *(("disk==ssd", True), ("disk!=ssd", False), ("disk==~hdd", False)),
        *(("missing==x", False), ("missing!=x", True), ("missing==/^$/", True)),
    ],
)
def test_a_constraint_compares_the_node_or_a_label_that_may_be_missing(constraint: str, fits: bool) -> None:
    rejection = rejected(a_node(labels={"disk": "ssd"}), a_wish(Rules(constraints=(constraint,))))
    assert (rejection is None) is fits
    assert rejection is None or rejection.reason is Reason.CONSTRAINT


def test_a_constraint_on_the_node_compares_its_id_and_its_name() -> None:
    for value in ("i-0a", "node-1", "node-*"):
        assert rejected(holding(), a_wish(Rules(constraints=(f"node=={value}",)))) is None
        assert rejected(holding(), a_wish(Rules(constraints=(f"node!={value}",)))) is not None


@pytest.mark.parametrize(
    ("wanted", "held", "clashes"),
    [
        pytest.param(HostPort(80), HostPort(80), True, id="the same"),
        pytest.param(HostPort(80), HostPort(81), False, id="another"),
        pytest.param(HostPort(53, "udp"), HostPort(53, "tcp"), True, id="protocols are not looked at"),
        pytest.param(HostPort(0), HostPort(0), False, id="chosen by the engine"),
        pytest.param(HostPort(80, address="10.0.0.1"), HostPort(80, address="10.0.0.2"), False, id="two addresses"),
        pytest.param(HostPort(80, address="10.0.0.1"), HostPort(80, address="10.0.0.1"), True, id="one address"),
        pytest.param(HostPort(80, address="10.0.0.1"), HostPort(80), True, id="held on every interface"),
        pytest.param(HostPort(80, address="::"), HostPort(80, address="10.0.0.1"), True, id="wanted on every one"),
    ],
)
def test_a_port_that_a_container_holds_is_taken(wanted: HostPort, held: HostPort, clashes: bool) -> None:
    node = holding(Occupant("web", ports=(HostPort(9), held)))
    rejection = rejected(node, a_wish(Rules(ports=(HostPort(8), wanted))))
    assert reason_of(rejection) == (Reason.PORT if clashes else None)
    assert rejection is None or rejection.detail == f"web holds port {wanted.port}"


def test_protocols_tell_ports_apart_when_asked_to() -> None:
    node = holding(Occupant("dns", ports=(HostPort(53, "udp"),)))
    by_protocol = options(ports_by_protocol=True)
    assert rejected(node, a_wish(Rules(ports=(HostPort(53, "tcp"),))), by_protocol) is None
    assert reason_of(rejected(node, a_wish(Rules(ports=(HostPort(53, "udp"),))), by_protocol)) is Reason.PORT


@pytest.mark.parametrize(
    ("rules", "taken"),
    [
        pytest.param(Rules(network_mode="host", exposed=("80/tcp",)), True, id="exposed by both"),
        pytest.param(Rules(network_mode="host", exposed=("81/tcp",)), False, id="another port"),
        pytest.param(Rules(network_mode="host", ports=(HostPort(443),)), False, id="its bindings are not looked at"),
        pytest.param(Rules(exposed=("80/tcp",)), False, id="exposed in bridge mode"),
        pytest.param(Rules(ports=(HostPort(443),)), True, id="a bridge request meets a host container's bindings"),
        pytest.param(Rules(ports=(HostPort(80),)), False, id="but not what it exposes"),
    ],
)
def test_in_host_mode_exposed_ports_are_compared(rules: Rules, taken: bool) -> None:
    host = Occupant("h", network_mode="host", exposed=("80/tcp",), ports=(HostPort(443),))
    bridge = Occupant("b", exposed=("81/tcp",))
    assert reason_of(rejected(holding(host, bridge), a_wish(rules))) == (Reason.PORT if taken else None)


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        pytest.param(Rules(links=("db:alias",)), True, id="link"),
        pytest.param(Rules(volumes_from=("db:ro",)), True, id="volumes"),
        pytest.param(Rules(network_mode="container:db"), True, id="network"),
        pytest.param(Rules(links=("db", "cache:c")), False, id="one of two is missing"),
        pytest.param(Rules(links=(":alias",)), False, id="no name"),
    ],
)
def test_what_a_request_depends_on_must_be_on_the_node(rules: Rules, found: bool) -> None:
    rejection = rejected(holding(Occupant("db")), a_wish(rules))
    assert reason_of(rejection) == (None if found else Reason.DEPENDENCY)


NAMED = Occupant("web-1", id="c0ffee", labels={"app": "shop"})
NAMELESS = Occupant("", id="beef")
PENDING = Occupant("web-2")
NGINX = Image("sha256:aa", ("nginx:1.25", "registry.example:5000/team/nginx:2"))


@pytest.mark.parametrize(
    ("affinity", "held"),
    [
        *(("container==web-1", True), ("container==c0ffee", True), ("container!=web-*", False)),
        pytest.param("container==beef", False, id="a container without a name is not seen"),
        pytest.param("container==/^$/", True, id="one not yet created has an empty id"),
        *(("image==sha256:aa", True), ("image==nginx:1.25", True), ("image==nginx", True)),
        *(("image==registry.example:5000/team/nginx", True), ("image==registry.example", False)),
        *(("app==shop", True), ("app!=shop", False), ("app==/^$/", True), ("tier==/^$/", True), ("tier!=x", True)),
    ],
)
def test_an_affinity_compares_containers_images_or_labels(affinity: str, held: bool) -> None:
    node = holding(NAMED, NAMELESS, PENDING, images=(NGINX,))
    rejection = rejected(node, a_wish(Rules(affinities=(affinity,))))
    assert reason_of(rejection) == (None if held else Reason.AFFINITY)


@pytest.mark.parametrize("key", ["container", "image", "app"])
def test_on_an_empty_node_no_affinity_holds_and_every_anti_affinity_does(key: str) -> None:
    assert reason_of(rejected(holding(), a_wish(Rules(affinities=(f"{key}==*",))))) is Reason.AFFINITY
    assert rejected(holding(), a_wish(Rules(affinities=(f"{key}!=*",)))) is None


@pytest.mark.parametrize(
    ("whitelists", "named"),
    [
        (("node==node-1",), True),
        (("node==node-2|node-1",), True),
        (("any_key==node-1",), True),
        (("node==node-*",), False),
        (("node==i-0a",), False),
        (("node==node-1|node-2", "node==node-2|node-3"), False),
    ],
)
def test_a_whitelist_names_nodes_exactly_and_several_intersect(whitelists: tuple[str, ...], named: bool) -> None:
    rejection = rejected(holding(), a_wish(Rules(whitelists=whitelists)))
    assert reason_of(rejection) == (None if named else Reason.WHITELIST)


def test_generic_resources_are_counted_exactly_under_every_strategy() -> None:
    node = a_node(capacity=Resources.of(10, 10, {"gpu": 2}), reserved=Resources.of(0, 0, {"gpu": 1}))
    for placing in (options(), options(exact=False), options("random", exact=False)):
        one, two = (Wish(Resources.of(generic={"gpu": amount})) for amount in (1, 2))
        assert rejected(node, one, placing) is None
        assert reason_of(rejected(node, two, placing)) is Reason.RESOURCES
        assert reason_of(rejected(node, Wish(Resources.of(generic={"fpga": 1})), placing)) is Reason.RESOURCES


def test_the_last_filters_refusal_says_how_much_is_missing() -> None:
    rejection = rejected(a_node(reserved=resources(2, 0)), a_wish(cpus=0.5, memory_mib=256))
    assert str(rejection) == "resources: wants 0.5 CPUs and 256 MiB, has 0 CPUs and 2048 MiB free"


def test_an_avoided_node_is_rejected() -> None:
    rejection = rejected(a_node("i-0a"), wish_of(a_request(), options(), frozenset({NodeId("i-0a")})))
    assert rejection is not None
    assert rejection.reason is Reason.AVOIDED


def test_filters_are_asked_in_the_order_of_their_reasons() -> None:
    record = a_node(
        role=Role.MANAGER, state=NodeState.GONE, health=0, slots=0, labels={"disk": "hdd"}, capacity=resources(0, 0)
    )
    spoilt = NodeFacts(record, (Occupant("db", ports=(HostPort(80),)),))
    rules = Rules(("disk==ssd",), ("app==x",), ("node==x",), (HostPort(80),), links=("other",))
    wish = wish_of(replace(a_request(), rules=rules), options(), frozenset({record.id}))
    rejections = [each(spoilt, wish) for each in filters_of(options())]
    assert [rejection.reason for rejection in rejections if rejection] == list(Reason)


@pytest.mark.parametrize("rules", [Rules(("disk==ssd", "x==~y")), Rules((), ("a==~[",)), Rules((), (), ("x==~y",))])
def test_a_bad_soft_expression_is_an_error_too(rules: Rules) -> None:
    with pytest.raises(InvalidExpression):
        a_wish(rules)
