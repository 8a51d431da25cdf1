"""What needs leave, which settings give it, and that what is allowed reaches the engine on a node that allows it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from swarmkeeper.domain.model import HostPort, Request
from swarmkeeper.edge.requests import Admission
from swarmkeeper.edge.settings_admission import AdmissionSettings
from swarmkeeper.errors import InvalidInput

ALLOWED: dict[str, Any] = {
    "host_ports": ["8000-8099", "9000"],
    "host_mounts": ["/srv/data"],
    "devices": ["/dev/fuse"],
    "capabilities": ["NET_ADMIN"],
    "host_network": True,
    "privileged": True,
}


def settings(**allowed: Any) -> AdmissionSettings:
    return AdmissionSettings.model_validate(allowed)


def admitted(pools: dict[str, AdmissionSettings], **host: Any) -> Request:
    body = {"Name": "web-1", "Image": "web", "HostConfig": host}
    return Admission("fleet", 2**27, pools).admit(body)


HOSTS = [
    pytest.param({"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}, id="a port in range"),
    pytest.param({"PortBindings": {"80": [{"HostPort": ""}]}}, id="a port that the engine chooses"),
    pytest.param({"Binds": ["/srv/data/acme:/data:ro"]}, id="a host folder below an allowed one"),
    pytest.param({"Mounts": [{"Type": "bind", "Source": "/srv/data", "Target": "/data"}]}, id="an allowed host folder"),
    pytest.param(
        {"Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}]},
        id="an allowed device",
    ),
    pytest.param({"CapAdd": ["CAP_NET_ADMIN"]}, id="an allowed capability"),
    pytest.param({"NetworkMode": "host"}, id="the host's network"),
    pytest.param({"Privileged": True}, id="privileged mode"),
]


@pytest.mark.parametrize("host", HOSTS)
def test_what_is_allowed_reaches_the_engine(host: dict[str, Any]) -> None:
    sent = json.loads(admitted({"workers": settings(**ALLOWED)}, **host).body)["HostConfig"]
    assert {key: sent[key] for key in host} == host or key_of_ports(sent, host)


def key_of_ports(sent: dict[str, Any], host: dict[str, Any]) -> bool:
    """Empty host ports are left out, which means the same to an engine."""
    return list(sent["PortBindings"]) == list(host["PortBindings"])


@pytest.mark.parametrize("host", HOSTS)
def test_nothing_of_it_is_allowed_without_settings(host: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="is not allowed by the fleet's admission settings"):
        admitted({"workers": settings()}, **host)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param({"PortBindings": {"80/tcp": [{"HostPort": "8100"}]}}, id="a port beyond the range"),
        pytest.param({"Binds": ["/srv/database:/data"]}, id="a folder whose name begins alike"),
        pytest.param({"Binds": ["/srv/data/../secret:/data"]}, id="a way up"),
        pytest.param(
            {"Mounts": [{"Type": "bind", "Source": "/srv/data/..", "Target": "/d"}]}, id="a way up in a mount"
        ),
        pytest.param({"Devices": [{"PathOnHost": "/dev/fuse2"}]}, id="another device"),
        pytest.param({"CapAdd": ["ALL"]}, id="all capabilities"),
        pytest.param({"NetworkMode": "host", "PortBindings": {"80/tcp": [{"HostPort": "9000"}]}}, id="ports of a host"),
        pytest.param({"Binds": ["/srv/data:/data:rshared"]}, id="mounts that come back to the host"),
    ],
)
def test_what_only_looks_allowed_is_refused(host: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        admitted({"workers": settings(**ALLOWED)}, **host)


def test_a_request_that_needs_leave_goes_to_the_pools_that_give_it() -> None:
    pools = {"edge-a": settings(host_ports=["8000-8099"]), "edge-b": settings(host_ports=["8080"]), "rest": settings()}
    both = admitted(pools, PortBindings={"80/tcp": [{"HostPort": "8080"}]})
    one = admitted(pools, PortBindings={"80/tcp": [{"HostPort": "8081"}]})
    assert both.rules.constraints == ("pool==/^(edge-a|edge-b)$/",)
    assert one.rules.constraints == ("pool==edge-a",)
    assert admitted(pools).rules.constraints == ()


def test_one_pool_must_allow_all_that_is_asked_for() -> None:
    pools = {"a": settings(privileged=True), "b": settings(host_network=True)}
    with pytest.raises(InvalidInput) as refused:
        admitted(pools, Privileged=True, NetworkMode="host")
    assert refused.value.field == "HostConfig.NetworkMode"


def test_host_ports_are_placed_by_number_protocol_and_address() -> None:
    bindings = {"53/udp": [{"HostIp": "10.0.0.1", "HostPort": "8053"}], "80": [{"HostPort": "8080"}, {}]}
    request = admitted({"workers": settings(**ALLOWED)}, PortBindings=bindings)
    assert request.rules.ports == (HostPort(8053, "udp", "10.0.0.1"), HostPort(8080, "tcp", ""))


def test_a_container_in_the_hosts_network_is_compared_by_what_it_exposes() -> None:
    body = {"Name": "web-1", "Image": "web", "HostConfig": {"NetworkMode": "host"}, "ExposedPorts": {"80": {}}}
    request = Admission("fleet", 2**27, {"workers": settings(host_network=True)}).admit(body)
    assert (request.rules.network_mode, request.rules.exposed, request.network) == ("host", ("80/tcp",), "")


@pytest.mark.parametrize(
    "allowed",
    [
        pytest.param({"host_ports": ["80"]}, id="a privileged port"),
        pytest.param({"host_ports": ["9000-8000"]}, id="backwards"),
        pytest.param({"host_ports": ["2000-3000"]}, id="the engines' own port"),
        pytest.param({"host_ports": ["all"]}, id="not a number"),
        pytest.param({"host_mounts": ["/"]}, id="everything"),
        pytest.param({"host_mounts": ["/var"]}, id="a folder that holds the engine's socket"),
        pytest.param({"host_mounts": ["/run/docker"]}, id="a folder beside the engine's socket"),
        pytest.param({"host_mounts": ["/srv/../etc"]}, id="a crooked path"),
        pytest.param({"host_mounts": ["srv"]}, id="a relative path"),
        pytest.param({"capabilities": ["ALL"]}, id="all capabilities"),
        pytest.param({"capabilities": ["CAP_NET_ADMIN"]}, id="a prefix that Docker leaves out"),
        pytest.param({"devices": ["/etc/passwd"]}, id="not a device"),
        pytest.param({"privileged": "yes"}, id="not a truth value"),
        pytest.param({"everything": True}, id="unknown feature"),
    ],
)
def test_settings_that_would_give_the_node_away_are_refused(allowed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**allowed)
