from __future__ import annotations

import json
from dataclasses import replace

import pytest

from swarmkeeper.adapters.engine.create_body import aliases_of, create_body, digest_of
from swarmkeeper.adapters.engine.recall import record_label
from swarmkeeper.domain.model import Resources
from swarmkeeper.errors import InvalidInput
from tests.unit.adapters.engine.simulated_fleet import a_request


def test_the_reservation_becomes_the_limits_and_the_rest_of_the_host_configuration_stays() -> None:
    body = create_body(a_request(HostConfig={"PidsLimit": 100, "Memory": 1}), fleet="demo")
    assert body["HostConfig"] == {
        "PidsLimit": 100,
        "NanoCpus": 500_000_000,
        "Memory": 64 * 2**20,
        "NetworkMode": "fleet",
    }


def test_nothing_reserved_is_no_limit() -> None:
    body = create_body(replace(a_request(), reservation=Resources()), fleet="demo")
    assert body["HostConfig"] == {"NanoCpus": 0, "Memory": 0, "NetworkMode": "fleet"}


def test_the_container_is_attached_to_its_network_alone_with_its_name_and_the_aliases_it_asks_for() -> None:
    asked = {"EndpointsConfig": {"another": {"Aliases": ["db", "web-1", "cache"]}}}
    body = create_body(a_request(NetworkingConfig=asked), fleet="demo")
    assert body["NetworkingConfig"] == {"EndpointsConfig": {"fleet": {"Aliases": ["web-1", "db", "cache"]}}}


def test_the_aliases_can_be_read_from_the_labels() -> None:
    asked = {"EndpointsConfig": {"fleet": {"Aliases": ["db", "cache"]}}}
    labels = create_body(a_request(NetworkingConfig=asked), fleet="demo")["Labels"]
    assert isinstance(labels, dict)
    assert aliases_of("web-1", labels) == ["web-1", "db", "cache"]
    assert aliases_of("web-1", {}) == ["web-1"]


def test_a_request_without_a_network_keeps_what_its_body_says() -> None:
    body = create_body(a_request(network="", HostConfig={"NetworkMode": "none"}), fleet="demo")
    assert "NetworkingConfig" not in body
    assert isinstance(body["HostConfig"], dict)
    assert body["HostConfig"]["NetworkMode"] == "none"


def test_our_labels_win_over_the_users() -> None:
    forged = {"swarmkeeper.fleet": "other", "swarmkeeper.record": "other", "team": "blue"}
    request = a_request(Labels=forged)
    assert create_body(request, fleet="demo")["Labels"] == {
        "swarmkeeper.record": record_label(request, json.loads(request.body)),
        "swarmkeeper.fleet": "demo",
        "swarmkeeper.name": "web-1",
        "swarmkeeper.request": digest_of(request),
        "team": "blue",
    }


def test_null_sections_are_empty_ones() -> None:
    body = create_body(a_request(Labels=None, HostConfig=None, NetworkingConfig=None), fleet="demo")
    assert body["NetworkingConfig"] == {"EndpointsConfig": {"fleet": {"Aliases": ["web-1"]}}}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param("{", "request", id="not JSON"),
        pytest.param("[]", "request", id="not an object"),
        pytest.param('{"Labels": ["a"]}', "Labels", id="labels as a list"),
        pytest.param('{"HostConfig": 1}', "HostConfig", id="host configuration as a number"),
        pytest.param(
            '{"NetworkingConfig": {"EndpointsConfig": {"fleet": {"Aliases": "db"}}}}',
            "NetworkingConfig.EndpointsConfig.Aliases",
            id="aliases as a string",
        ),
    ],
)
def test_a_malformed_body_is_refused_with_its_field(body: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_body(replace(a_request(), body=body), fleet="demo")
    assert refused.value.field == field
