"""Admission: what a tenant may ask of an engine, and how placement rules are taken out of the body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from swarmkeeper.domain.model import Resources
from swarmkeeper.edge.requests import parse_request
from swarmkeeper.errors import InvalidInput

DEFAULT = 128 * 2**20
FLEET: dict[str, Any] = {"network": "fleet", "default_memory_bytes": DEFAULT}


def body(**parts: Any) -> dict[str, Any]:
    return {"Name": "web-1", "Image": "registry.example/web:1", **parts}


def test_the_reservation_comes_from_dockers_own_limits() -> None:
    request = parse_request(body(HostConfig={"NanoCpus": 500_000_000, "Memory": 64 * 2**20}), **FLEET)
    assert request.reservation == Resources(500_000_000, 64 * 2**20)


def test_rules_are_taken_out_of_the_environment_and_label_rules_come_first() -> None:
    request = parse_request(
        body(
            Env=["A=1", "constraint:tier==web", "reschedule:on-node-failure"],
            Labels={"com.docker.swarm.constraints": '["zone==a"]'},
        ),
        network="fleet",
        default_memory_bytes=DEFAULT,
    )
    assert request.rules.constraints == ("zone==a", "tier==web")
    assert request.movable
    assert json.loads(request.body)["Env"] == ["A=1"]


def test_every_container_is_hardened() -> None:
    host = json.loads(parse_request(body(HostConfig={"Memory": 64 * 2**20}), **FLEET).body)["HostConfig"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["PidsLimit"] == 1024
    assert host["RestartPolicy"] == {"Name": "no"}
    assert host["MemorySwap"] == 64 * 2**20


def test_the_same_body_in_another_order_is_the_same_request() -> None:
    one = body(Env=["A=1"], HostConfig={"Memory": 2**26, "NanoCpus": 1})
    other = dict(reversed(body(HostConfig={"NanoCpus": 1, "Memory": 2**26}, Env=["A=1"]).items()))
    assert parse_request(one, **FLEET) == parse_request(other, **FLEET)


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        pytest.param({"HostConfig": {"Privileged": True}}, "HostConfig.Privileged", id="privileged"),
        pytest.param({"HostConfig": {"NetworkMode": "host"}}, "HostConfig.NetworkMode", id="host network"),
        pytest.param({"HostConfig": {"PidMode": "host"}}, "HostConfig.PidMode", id="host processes"),
        pytest.param({"HostConfig": {"IpcMode": "host"}}, "HostConfig.IpcMode", id="host IPC"),
        pytest.param({"HostConfig": {"UsernsMode": "host"}}, "HostConfig.UsernsMode", id="host users"),
        pytest.param({"HostConfig": {"CapAdd": ["SYS_ADMIN"]}}, "HostConfig.CapAdd", id="capabilities"),
        pytest.param({"HostConfig": {"Devices": [{}]}}, "HostConfig.Devices", id="devices"),
        pytest.param({"HostConfig": {"Binds": ["/:/host"]}}, "HostConfig.Binds", id="host mount"),
        pytest.param(
            {"HostConfig": {"Binds": ["/var/run/docker.sock:/s"]}}, "HostConfig.Binds", id="the engine's socket"
        ),
        pytest.param(
            {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/", "Target": "/h"}]}},
            "HostConfig.Mounts.0.Type",
            id="bind mount",
        ),
        pytest.param(
            {
                "HostConfig": {
                    "Mounts": [{"Type": "volume", "Target": "/h", "VolumeOptions": {"DriverConfig": {"Name": "local"}}}]
                }
            },
            "HostConfig.Mounts.0.VolumeOptions",
            id="a volume driver that binds",
        ),
        pytest.param(
            {"HostConfig": {"SecurityOpt": ["seccomp=unconfined"]}}, "HostConfig.SecurityOpt.0", id="unconfined"
        ),
        pytest.param(
            {"HostConfig": {"RestartPolicy": {"Name": "always"}}}, "HostConfig.RestartPolicy.Name", id="restart"
        ),
        pytest.param({"HostConfig": {"PortBindings": {}}}, "HostConfig.PortBindings", id="host ports"),
        pytest.param({"HostConfig": {"Runtime": "other"}}, "HostConfig.Runtime", id="unknown option"),
        pytest.param({"HostConfig": {"Memory": -1}}, "HostConfig.Memory", id="negative memory"),
        pytest.param({"HostConfig": {"Memory": 1000}}, "HostConfig.Memory", id="too little memory"),
        pytest.param(
            {"NetworkingConfig": {"EndpointsConfig": {"fleet": {"Aliases": ["somebody-else"]}}}},
            "NetworkingConfig.EndpointsConfig.fleet.Aliases",
            id="another's name",
        ),
        pytest.param(
            {"NetworkingConfig": {"EndpointsConfig": {"other": {}}}},
            "NetworkingConfig.EndpointsConfig.other",
            id="another network",
        ),
        pytest.param({"Env": ["constraint:tier=web"]}, "constraint", id="bad expression"),
        pytest.param({"Env": ["constraint:tier==~"]}, "constraint", id="bad soft expression"),
        pytest.param({"Env": ["affinity:image==web"]}, "Env", id="affinity"),
        pytest.param({"Env": ["reschedule:on-node-failure", "reschedule:off"]}, "Env", id="two policies"),
        pytest.param({"Labels": {"com.docker.swarm.constraints": "[oops"}}, "Labels", id="malformed label"),
        pytest.param({"Image": ""}, "Image", id="no image"),
        pytest.param({"Labels": {"swarmkeeper.aliases": "other"}}, "Labels.swarmkeeper.aliases", id="our label"),
        pytest.param({"Hostname": "somebody-else"}, "Hostname", id="another's host name"),
        pytest.param({"Surprise": 1}, "Surprise", id="unknown key"),
    ],
)
def test_what_a_tenant_may_not_ask_is_refused_with_its_field(parts: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_request(body(**parts), **FLEET)
    assert refused.value.field.startswith(field)


@pytest.mark.parametrize(
    "name",
    [
        "Web",
        "web_1",
        "-web",
        "web-",
        "a--b",
        "w" * 51,
        "",
        "router",
        "web.1",
        "10.0.0.1",
        "0",
        "10",
        "0x7f",
        "node-router-1",
    ],
)
def test_a_name_that_is_no_dns_label_of_ours_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="Name"):
        parse_request(body(Name=name), **FLEET)


@pytest.mark.parametrize("name", ["a", "web-1", "w" * 50, "0-day"])
def test_a_dns_label_of_up_to_fifty_characters_is_taken(name: str) -> None:
    assert parse_request(body(Name=name), **FLEET).name == name


@pytest.mark.parametrize(
    ("parts", "movable"),
    [
        ({}, False),
        ({"Env": ["reschedule:on-node-failure"]}, True),
        ({"Labels": {"swarmkeeper.movable": "true"}}, True),
        ({"Env": ["reschedule:off"]}, False),
        ({"Labels": {"swarmkeeper.movable": "true"}, "HostConfig": {"Binds": ["data:/data"]}}, False),
        ({"Labels": {"swarmkeeper.movable": "true"}, "Env": ["constraint:node==i-0a"]}, False),
        ({"Labels": {"swarmkeeper.movable": "true"}, "Env": ["constraint:node==~i-0a"]}, True),
    ],
)
def test_a_container_moves_only_when_it_says_so_and_nothing_ties_it_down(parts: dict[str, Any], movable: bool) -> None:
    assert parse_request(body(**parts), **FLEET).movable is movable


def test_a_container_without_a_memory_limit_gets_and_reserves_the_default() -> None:
    request = parse_request(body(), **FLEET)
    host = json.loads(request.body)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], request.reservation.memory_bytes) == (DEFAULT, DEFAULT, DEFAULT)
