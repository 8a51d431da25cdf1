"""The HTTP API through the placement function's handler, with requests as API Gateway hands them over."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from functions.placement import handler as placement
from functions.placement.http import HttpApi
from functions.placement.operations import LOG_BYTES_MAX
from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.decision import Direction, ScalingDecision
from swarmkeeper.domain.scaling.guards import Guard
from swarmkeeper.domain.scaling.history import StoredDecision
from swarmkeeper.edge.http_event import BODY_BYTES_MAX
from swarmkeeper.edge.routes import ROUTES
from swarmkeeper.edge.scaling_views import ScalingDecisionView
from swarmkeeper.errors import NodeChanged, Unavailable
from tests.functions.placement_parts import wired_over
from tests.functions.recorded import Context, recorded
from tests.unit.services.world import IMAGE, World

ACME = "arn:aws:sts::123456789012:assumed-role/acme-web/i-0123456789abcdef0"
GLOBEX = "arn:aws:sts::123456789012:assumed-role/globex/x"
ACMES_OWN = {"principals": ["arn:aws:iam::123456789012:role/acme-*"]}
GLOBEXS_OWN = {"principals": ["arn:aws:iam::123456789012:role/globex"]}
TENANTS = {"known": {"acme": ACMES_OWN, "globex": GLOBEXS_OWN}}
WITH_QUOTA = {"known": {"acme": {**ACMES_OWN, "quota": {"containers": 1}}, "globex": GLOBEXS_OWN}}

DECIDED = ScalingDecision(
    PoolName("workers"),
    Direction.OUT,
    desired=3,
    wish=5,
    reason="7 pending want 4 more nodes",
    capped_by=Guard.MAX,
    guards=(Guard.MAX,),
    trigger="alarm demo-pending",
    inputs={"pending": 7},
)
MOST_OF_A_NODE = {"NanoCpus": 1_500_000_000}

Wire = Callable[..., World]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "placement")

    def over(**settings: Any) -> World:
        world = World().with_manager()
        world.with_worker("i-0a")
        wired = wired_over(world, **settings)
        monkeypatch.setattr(placement, "wired", lambda: wired)
        return world

    return over


@pytest.fixture
def world(wire: Wire) -> World:
    return wire()


def ask(
    route: str,
    *,
    body: object = None,
    caller: str | None = ACME,
    of: str = "",
    headers: dict[str, str] | None = None,
    **query: Any,
) -> tuple[int, Any]:
    """The status and the body that a request is answered with."""
    event = recorded("http_create" if body is not None else "http_get")
    event |= {"routeKey": route, "rawQueryString": urlencode(query, doseq=True)}
    event["headers"] |= headers or {}
    event["pathParameters"] = {"name": of} if of else None
    event["body"] = None if body is None else json.dumps(body)
    event["requestContext"]["authorizer"] = {"iam": {"userArn": caller}} if caller else None
    return parsed(placement.handler(event, Context()))


def parsed(answer: dict[str, Any]) -> tuple[int, Any]:
    body = base64.b64decode(answer["body"]).decode() if answer["isBase64Encoded"] else answer["body"]
    is_json = "json" in answer["headers"]["content-type"]
    return answer["statusCode"], json.loads(body) if is_json else body


def create(name: str = "web-1", *, token: str = "", caller: str = ACME, **parts: Any) -> tuple[int, Any]:
    headers = {"idempotency-key": token} if token else {}
    return ask("POST /containers", body={"Name": name, "Image": IMAGE, **parts}, headers=headers, caller=caller)


def listed(**query: Any) -> list[str]:
    status, page = ask("GET /containers", **query)
    assert status == 200, page
    return [each["name"] for each in page["containers"]]


def test_a_recorded_request_creates_a_container(world: World) -> None:
    status, made = parsed(placement.handler(recorded("http_create"), Context()))
    assert (status, made["name"], made["state"], made["node"]) == (201, "web-1", "running", "i-0a")
    status, found = parsed(placement.handler(recorded("http_get"), Context()))
    assert (status, found) == (200, made)


def test_a_request_that_fits_nowhere_now_is_accepted_with_its_reason(world: World) -> None:
    create(HostConfig=MOST_OF_A_NODE)
    status, waiting = create("web-2", HostConfig=MOST_OF_A_NODE)
    assert (status, waiting["state"], waiting["node"]) == (202, "pending", None)
    assert "CPU" in waiting["reason"]


def test_a_container_whose_image_is_pulled_is_being_created(world: World) -> None:
    status, made = create("web-2", Image="registry.example/other:1")
    assert (status, made["state"], made["node"]) == (202, "creating", "i-0a")
    assert "image is being pulled" in made["reason"]
    assert (listed(state="creating"), listed(state="running")) == (["web-2"], [])


def test_a_request_that_fits_no_node_ever_is_refused(world: World) -> None:
    status, problem = create(HostConfig={"NanoCpus": 64 * 10**9})
    assert (status, problem["type"]) == (400, "urn:swarmkeeper:problem:invalid-request")


def test_every_route_of_the_api_is_served_and_no_other(world: World) -> None:
    served = placement.wired().http
    assert isinstance(served, HttpApi)
    assert served.routes == {route.key for route in ROUTES}


@pytest.mark.parametrize("route", [route.key for route in ROUTES])
def test_a_request_without_a_verified_caller_is_refused_on_every_route(world: World, route: str) -> None:
    status, problem = ask(route, body={}, caller=None, of="web-1")
    assert (status, problem["type"]) == (403, "urn:swarmkeeper:problem:not-allowed")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({"Image": "x"}, "Name", id="no name"),
        pytest.param(
            {"Name": "web", "Image": "x", "HostConfig": {"Privileged": True}}, "HostConfig.Privileged", id="no"
        ),
        pytest.param({"Name": "web", "Image": "x", "Env": ["constraint:a=b"]}, "constraint", id="expression"),
        pytest.param([1], "request", id="not an object"),
        pytest.param({"Name": "web", "Image": "x" * (BODY_BYTES_MAX + 1)}, "body", id="too large"),
        pytest.param(
            {"Name": "web", "Image": IMAGE, "HostConfig": {"VolumesFrom": ["nobody"]}}, "HostConfig", id="reference"
        ),
    ],
)
@pytest.mark.parametrize("route", ["POST /containers", "POST /explain"])
def test_a_wrong_request_is_a_problem_that_names_the_field(world: World, route: str, body: object, field: str) -> None:
    status, problem = ask(route, body=body)
    assert (status, problem["status"], problem["field"]) == (400, 400, field)
    assert problem["type"] == "urn:swarmkeeper:problem:invalid-request"
    assert problem["title"]
    assert problem["detail"]


def test_a_body_that_is_no_json_is_refused(world: World) -> None:
    event = recorded("http_create") | {"body": "{"}
    status, problem = parsed(placement.handler(event, Context()))
    assert (status, problem["field"]) == (400, "body")


def test_a_body_in_base64_is_read(world: World) -> None:
    event = recorded("http_create")
    event |= {"body": base64.b64encode(event["body"].encode()).decode(), "isBase64Encoded": True}
    assert parsed(placement.handler(event, Context()))[0] == 201


def test_a_problem_has_its_own_media_type(world: World) -> None:
    event = recorded("http_get")
    answer = placement.handler(event, Context())
    assert answer["statusCode"] == 404
    assert answer["headers"]["content-type"] == "application/problem+json"


def test_a_name_in_use_is_a_conflict(world: World) -> None:
    create()
    status, problem = create(Env=["OTHER=1"])
    assert (status, problem["type"], problem["field"]) == (409, "urn:swarmkeeper:problem:name-taken", "Name")


def test_the_same_token_and_body_are_the_same_container(world: World) -> None:
    first, again = create(token="t-1"), create(token="t-1")
    assert first == again
    assert world.engines.made == 1


@pytest.mark.parametrize("other", [{"name": "web-2"}, {"Env": ["A=1"]}])
def test_the_same_token_with_another_body_is_refused(world: World, other: dict[str, Any]) -> None:
    create(token="t-1")
    status, problem = create(token="t-1", **other)
    assert (status, problem["field"]) == (422, "Idempotency-Key")
    assert world.engines.made == 1


def test_another_token_with_the_same_body_is_another_request(world: World) -> None:
    create(token="t-1")
    assert create(token="t-2")[0] == 409


def test_a_token_is_the_tenants_own(wire: Wire) -> None:
    wire(tenants=TENANTS)
    assert create("acme-1", token="t-1")[0] == 201
    assert create("globex-1", token="t-1", caller=GLOBEX)[0] == 201


def test_a_malformed_token_is_refused(world: World) -> None:
    assert create(token="white space")[1]["field"] == "idempotency-key"


def test_removing_answers_with_the_last_record_and_then_404(world: World) -> None:
    create()
    assert ask("DELETE /containers/{name}", of="web-1")[0] == 200
    assert ask("DELETE /containers/{name}", of="web-1")[0] == 404


def test_listings_are_filtered(world: World) -> None:
    create("web-1", Labels={"team": "a", "tier": "x"}, HostConfig=MOST_OF_A_NODE)
    create("web-2", Labels={"team": "b", "tier": "x"})
    create("db-1", HostConfig=MOST_OF_A_NODE, Labels={"swarmkeeper.tenant": "globex"})
    assert listed(name="web-") == ["web-1", "web-2"]
    assert listed(state="pending") == ["db-1"]
    assert listed(state=["pending", "running"]) == ["db-1", "web-1", "web-2"]
    assert listed(node="i-0a") == ["web-1", "web-2"]
    assert listed(label=["team=b", "tier"]) == ["web-2"]
    assert listed(tenant="globex") == ["db-1"]
    assert listed(tenant="nobody") == []


@pytest.mark.parametrize("filters", [{}, {"node": "i-0a"}, {"state": "running"}])
def test_a_listing_goes_on_page_by_page(world: World, filters: dict[str, Any]) -> None:
    names = [f"web-{number}" for number in range(4)]
    for name in names:
        create(name)
    _, page = ask("GET /containers", limit=3, **filters)
    found = [each["name"] for each in page["containers"]]
    while page["next"]:
        _, page = ask("GET /containers", limit=3, next=page["next"], **filters)
        found += [each["name"] for each in page["containers"]]
    assert found == names


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"limit": 0}, id="no page"),
        pytest.param({"limit": 501}, id="too large a page"),
        pytest.param({"state": "flying"}, id="unknown state"),
        pytest.param({"colour": "red"}, id="unknown filter"),
        pytest.param({"tenant": ["a", "b"]}, id="twice"),
        pytest.param({"next": "?"}, id="no base64"),
        pytest.param({"next": base64.b64encode(b"nonsense").decode()}, id="not ours"),
    ],
)
def test_a_wrong_query_is_refused_with_the_parameter(world: World, query: dict[str, Any]) -> None:
    status, problem = ask("GET /containers", **query)
    assert status == 400
    assert problem["field"].partition(".")[0] == next(iter(query))


def test_logs_come_as_text_from_the_engine(world: World) -> None:
    create()
    world.engines.output["web-1"] = [b"one\n", b"two\n", b"\xff three\n"]
    event = recorded("http_get") | {"routeKey": "GET /containers/{name}/logs", "rawQueryString": "tail=2"}
    answer = placement.handler(event, Context())
    assert base64.b64decode(answer["body"]) == b"two\n\xff three\n"
    assert answer["headers"] == {"content-type": "text/plain; charset=utf-8"}


def test_logs_that_are_too_long_are_cut_and_say_so(world: World) -> None:
    create()
    world.engines.output["web-1"] = [b"x" * (LOG_BYTES_MAX + 1)]
    event = recorded("http_get") | {"routeKey": "GET /containers/{name}/logs"}
    answer = placement.handler(event, Context())
    assert answer["headers"]["swarmkeeper-cut"] == "true"
    assert len(json.dumps(answer)) < 6 * 2**20


def test_logs_of_what_waits_are_a_conflict_and_of_nothing_a_404(world: World) -> None:
    create(HostConfig=MOST_OF_A_NODE)
    create("web-2", HostConfig=MOST_OF_A_NODE)
    status, problem = ask("GET /containers/{name}/logs", of="web-2")
    assert status == 409
    assert "CPU" in problem["detail"]
    assert ask("GET /containers/{name}/logs", of="nobody")[0] == 404


def test_explain_tells_the_node_and_reserves_nothing(world: World) -> None:
    status, decision = ask("POST /explain", body={"Name": "web-1", "Image": IMAGE})
    assert (status, decision["chosen"]) == (200, "i-0a")
    assert listed() == []


def test_why_a_container_is_where_it_is_is_asked_as_if_its_own_place_were_free(world: World) -> None:
    create("web-1", HostConfig=MOST_OF_A_NODE)
    create("web-2", HostConfig=MOST_OF_A_NODE)
    status, decision = ask("GET /containers/{name}/explain", of="web-1")
    assert (status, decision["chosen"]) == (200, "i-0a")
    status, decision = ask("GET /containers/{name}/explain", of="web-2")
    assert (status, decision["chosen"]) == (200, None)
    assert "CPU" in decision["refused"]["i-0a"]["detail"]
    assert ask("GET /containers/{name}/explain", of="nobody")[0] == 404


def test_nodes_are_listed(world: World) -> None:
    status, found = ask("GET /nodes")
    assert status == 200
    assert {each["id"] for each in found["nodes"]} >= {"i-0a"}


def test_openapi_is_served(world: World) -> None:
    status, document = ask("GET /openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")


def test_a_tenant_sees_and_changes_its_own_containers_only(wire: Wire) -> None:
    wire(tenants=TENANTS)
    create("acme-1")
    create("globex-1", caller=GLOBEX)
    assert listed() == ["acme-1"]
    for route in (
        "GET /containers/{name}",
        "DELETE /containers/{name}",
        "GET /containers/{name}/logs",
        "GET /containers/{name}/explain",
    ):
        assert ask(route, of="globex-1")[0] == 404
    assert listed(caller=GLOBEX) == ["globex-1"]


def test_nobody_acts_for_another_tenant(wire: Wire) -> None:
    wire(tenants=TENANTS)
    status, problem = create(Labels={"swarmkeeper.tenant": "globex"})
    assert (status, problem["field"]) == (400, "Labels.swarmkeeper.tenant")


def test_a_reference_to_another_tenants_container_is_one_to_nothing(wire: Wire) -> None:
    wire(tenants=TENANTS)
    create("acme-db")
    create("globex-db", caller=GLOBEX)
    own = create("acme-web", HostConfig={"VolumesFrom": ["acme-db"]})
    other = create("acme-spy", HostConfig={"VolumesFrom": ["globex-db"]})
    assert (own[0], other[0]) == (201, 400)


def test_a_quota_that_is_used_up_refuses_until_something_is_removed(wire: Wire) -> None:
    wire(tenants=WITH_QUOTA)
    assert create("acme-1")[0] == 201
    status, problem = create("acme-2")
    assert (status, problem["type"]) == (403, "urn:swarmkeeper:problem:quota-exceeded")
    assert "containers" in problem["detail"]
    assert create("globex-1", caller=GLOBEX)[0] == 201
    ask("DELETE /containers/{name}", of="acme-1")
    assert create("acme-2")[0] == 201


def test_what_admission_allows_is_made(wire: Wire) -> None:
    wire(admission={"capabilities": ["NET_ADMIN"]})
    assert create(HostConfig={"CapAdd": ["NET_ADMIN"]})[0] == 201
    assert create("web-2", HostConfig={"CapAdd": ["SYS_ADMIN"]})[0] == 400


def test_a_store_that_does_not_answer_is_unavailable_with_a_time_to_come_back(world: World) -> None:
    world.store.fail("container", Unavailable("throttled"))
    event = recorded("http_get")
    answer = placement.handler(event, Context())
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "2")


def test_a_node_is_protected_and_listed_so_until_it_is_unprotected(world: World) -> None:
    assert ask("GET /nodes")[1]["nodes"][0]["protected"] is False
    status, node = ask("PUT /nodes/{name}/protection", of="i-0a")
    assert (status, node["protected"]) == (200, True)
    assert ask("PUT /nodes/{name}/protection", of="i-0a")[1]["protected"] is True
    assert world.node("i-0a").protected
    assert ask("DELETE /nodes/{name}/protection", of="i-0a")[1]["protected"] is False
    assert not world.node("i-0a").protected


def test_protection_survives_a_change_that_came_between(world: World) -> None:
    world.store.fail("save_node", NodeChanged("changed meanwhile", None), times=2)
    assert ask("PUT /nodes/{name}/protection", of="i-0a")[0] == 200
    assert world.node("i-0a").protected


def test_a_node_is_drained_and_serves_on_when_that_is_taken_back(world: World) -> None:
    status, node = ask("PUT /nodes/{name}/drain", of="i-0a")
    assert (status, node["state"], node["reason"]) == (200, "draining", "drained by an operator")
    status, node = ask("DELETE /nodes/{name}/drain", of="i-0a")
    assert (status, node["state"], node["reason"]) == (200, "ready", "")
    assert ask("PUT /nodes/{name}/drain", of="i-0f")[0] == 404
    assert ask("DELETE /nodes/{name}/drain", of="i-0f")[0] == 404


def test_an_unknown_node_is_not_protected(world: World) -> None:
    status, problem = ask("PUT /nodes/{name}/protection", of="i-0f")
    assert (status, problem["title"]) == (404, "There is no such node")


def test_decisions_are_told_page_by_page_the_newest_first(world: World) -> None:
    for number in range(3):
        world.history.record(replace(DECIDED, desired=number), at=1000.0 + number)
    status, page = ask("GET /scaling/decisions", limit=2)
    assert (status, [each["desired"] for each in page["decisions"]]) == (200, [2, 1])
    rest = ask("GET /scaling/decisions", limit=2, next=page["next"])[1]
    assert ([each["desired"] for each in rest["decisions"]], rest["next"]) == ([0], None)
    assert [each["at"] for each in ask("GET /scaling/decisions", since=1002)[1]["decisions"]] == [1002.0]
    assert ask("GET /scaling/decisions", pool="gpu")[1]["decisions"] == []


def test_a_decision_is_told_with_what_it_was_made_from(world: World) -> None:
    world.history.record(DECIDED, at=1000.0)
    (listed,) = ask("GET /scaling/decisions")[1]["decisions"]
    status, told = ask("GET /scaling/decisions/{name}", of=listed["id"])
    assert (status, told["pool"], told["direction"], told["desired"], told["wish"]) == (200, "workers", "out", 3, 5)
    assert (told["guards"], told["inputs"]) == (["max"], {"pending": 7})
    assert listed.items() <= told.items()


def test_a_decision_of_an_older_version_is_told_as_far_as_it_goes(world: World) -> None:
    old = StoredDecision("0000000001000-workers-00000000", 1.0, PoolName("workers"), {"direction": "in"})
    told = ScalingDecisionView.of(old)
    assert (told.direction, told.desired, told.unplaceable, told.recheck_at) == ("in", 0, [], None)


@pytest.mark.parametrize("name", ["0000000001000-workers-00000000", "x"])
def test_an_unknown_decision_is_not_found(world: World, name: str) -> None:
    status, problem = ask("GET /scaling/decisions/{name}", of=name)
    assert (status, problem["title"]) == (404, "There is no such decision")


@pytest.mark.parametrize("query", [{"next": "x"}, {"limit": 0}, {"since": "yesterday"}, {"colour": "red"}])
def test_a_wrong_question_about_decisions_is_refused(world: World, query: dict[str, Any]) -> None:
    status, problem = ask("GET /scaling/decisions", **query)
    assert (status, problem["field"]) == (400, next(iter(query)))


@pytest.mark.parametrize(
    ("route", "of"),
    [
        ("GET /scaling/decisions", ""),
        ("GET /scaling/decisions/{name}", "0000000001000-workers-00000000"),
        ("PUT /nodes/{name}/protection", "i-0a"),
        ("DELETE /nodes/{name}/protection", "i-0a"),
        ("GET /tokens", ""),
        ("POST /tokens/rotation", ""),
        ("PUT /nodes/{name}/drain", "i-0a"),
        ("DELETE /nodes/{name}/drain", "i-0a"),
    ],
)
def test_who_acts_for_one_tenant_sees_no_decisions_protects_no_node_and_rotates_no_tokens(
    wire: Wire, route: str, of: str
) -> None:
    wire(tenants=TENANTS)
    assert ask(route, of=of)[0] == 403


def test_tokens_that_are_asked_for_are_under_way_until_the_registrar_has_made_them(world: World) -> None:
    assert ask("GET /tokens") == (
        200,
        {"asked_at": None, "begun_at": None, "rotated_at": None, "under_way": False},
    )
    status, told = ask("POST /tokens/rotation")
    assert (status, told["under_way"], told["asked_at"]) == (202, True, world.clock.now())
    world.clock.advance(1)
    world.check_tokens()
    assert ask("GET /tokens")[1]["under_way"] is False
    assert "SWMTKN" not in str(told)


def test_a_second_writer_of_a_shared_volume_is_told_who_has_it(world: World) -> None:
    driver = {"DriverConfig": {"Name": "shared"}}
    mount = {"Type": "volume", "Source": "data", "Target": "/data", "VolumeOptions": driver}
    wanted = {"Image": IMAGE, "HostConfig": {"Mounts": [mount]}}
    assert ask("POST /containers", body={"Name": "web-1", **wanted})[0] == 201
    status, problem = ask("POST /containers", body={"Name": "web-2", **wanted})
    assert (status, problem["type"]) == (409, "urn:swarmkeeper:problem:volume-taken")
    assert "is written by web-1" in problem["detail"]
    assert ask("POST /containers", body={"Name": "web-1", **wanted})[0] in (200, 201)
