"""Admission: what a tenant may ask of an engine, and how placement rules are taken out of the body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from swarmkeeper.domain.model import Lifetime, Resources
from swarmkeeper.edge.requests import Admission, parse_request
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
    one = body(Env=["A=1"], HostConfig={"Memory": 2**26, "NanoCpus": 10**7})
    other = dict(reversed(body(HostConfig={"NanoCpus": 10**7, "Memory": 2**26}, Env=["A=1"]).items()))
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
        pytest.param(
            {"HostConfig": {"Devices": [{"PathOnHost": "/dev/fuse"}]}}, "HostConfig.Devices.0.PathOnHost", id="devices"
        ),
        pytest.param({"HostConfig": {"Devices": [{}]}}, "HostConfig.Devices", id="a device without a path"),
        pytest.param(
            {"HostConfig": {"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}},
            "HostConfig.DeviceRequests.0.Count",
            id="all GPUs",
        ),
        pytest.param(
            {"HostConfig": {"DeviceRequests": [{"Count": 1, "Capabilities": [["tpu"]]}]}},
            "HostConfig.DeviceRequests.0.Capabilities",
            id="other accelerators",
        ),
        pytest.param({"HostConfig": {"NanoCpus": 10**7 - 1}}, "HostConfig.NanoCpus", id="less CPU than engines give"),
        pytest.param({"HostConfig": {"Binds": ["data:/proc/x"]}}, "HostConfig", id="a volume in /proc"),
        pytest.param({"HostConfig": {"Tmpfs": {"/proc": ""}}}, "HostConfig", id="memory at /proc"),
        pytest.param({"Image": "Registry/Web:1"}, "Image", id="an image in capitals"),
        pytest.param({"Image": "web:1:2"}, "Image", id="two tags"),
        pytest.param({"Image": "web@sha256:12"}, "Image", id="half a digest"),
        pytest.param({"Labels": {"a": "x" * 16_384}}, "Labels", id="labels without end"),
        pytest.param({"Env": ["A=" + "x" * 100_000] * 3}, "request", id="more than a record holds"),
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
                    "Mounts": [
                        {
                            "Type": "volume",
                            "Source": "etc",
                            "Target": "/h",
                            "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": {"device": "/etc"}}},
                        }
                    ]
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
        pytest.param(
            {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}},
            "HostConfig.PortBindings.80/tcp",
            id="host ports",
        ),
        pytest.param(
            {"HostConfig": {"PortBindings": {"80/tcp": [{}]}}}, "HostConfig.PortBindings.80/tcp", id="any host port"
        ),
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
        pytest.param({"Env": ["affinity:image=web"]}, "affinity", id="bad affinity"),
        pytest.param({"Env": ["whitelist:node="]}, "whitelist", id="bad whitelist"),
        pytest.param({"Env": ["constraint:tier==/(/"]}, "constraint", id="bad pattern"),
        pytest.param({"Env": ["constraint:tier==web"] * 65}, "constraint", id="too many expressions"),
        pytest.param({"Labels": {"swarmkeeper.ttl": "soon"}}, "Labels.swarmkeeper.ttl", id="not a duration"),
        pytest.param({"Labels": {"swarmkeeper.idle": "0s"}}, "Labels.swarmkeeper.idle", id="no time at all"),
        pytest.param({"Labels": {"swarmkeeper.tenant": "A/b"}}, "Labels.swarmkeeper.tenant", id="tenant's name"),
        pytest.param({"HostConfig": {"VolumesFrom": ["db:exec"]}}, "HostConfig.VolumesFrom", id="volumes-from mode"),
        pytest.param({"HostConfig": {"VolumesFrom": ["node/db"]}}, "HostConfig", id="a reference with its node"),
        pytest.param({"HostConfig": {"NetworkMode": "container:web-1"}}, "HostConfig", id="its own network"),
        pytest.param(
            {"HostConfig": {"NetworkMode": "container:db"}, "Hostname": "web-1"},
            "HostConfig.NetworkMode",
            id="a host name in another's network",
        ),
        pytest.param({"HostConfig": {"Links": ["db:a:b"]}}, "HostConfig.Links", id="malformed link"),
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
        "w",
        "",
        "router",
        "web.1",
        "10.0.0.1",
        "0",
        "10",
        "0x7f",
        "node-router-1",
        "node-finder-1",
    ],
)
def test_a_name_that_is_no_dns_label_of_ours_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="Name"):
        parse_request(body(Name=name), **FLEET)


@pytest.mark.parametrize("name", ["ab", "web-1", "w" * 50, "0-day"])
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


def test_every_kind_of_rule_is_read_from_labels_first_and_then_from_the_environment() -> None:
    labels = {
        "com.docker.swarm.affinities": '["image==web"]',
        "com.docker.swarm.whitelists": '["node==a|b"]',
        "com.docker.swarm.reschedule-policies": '["on-node-failure"]',
    }
    environment = ["affinity:container!=db-*", "A=1", "whitelist:node==b|c", "affinityless:1"]
    request = parse_request(body(Env=environment, Labels=labels), **FLEET)
    assert request.rules.affinities == ("image==web", "container!=db-*")
    assert request.rules.whitelists == ("node==a|b", "node==b|c")
    assert request.movable
    assert json.loads(request.body)["Env"] == ["A=1", "affinityless:1"]


def test_the_lifetime_comes_from_labels() -> None:
    labels = {"swarmkeeper.expires": "30m", "swarmkeeper.ttl": "12h", "swarmkeeper.idle": "90s"}
    assert parse_request(body(Labels=labels), **FLEET).lifetime == Lifetime(1800.0, 43_200.0, 90.0)


def test_gpus_are_reserved_by_number() -> None:
    host = {"DeviceRequests": [{"Driver": "nvidia", "Count": 2, "Capabilities": [["gpu", "compute"]]}]}
    request = parse_request(body(HostConfig=host), **FLEET)
    assert request.reservation == Resources.of(0, DEFAULT, {"gpu": 2})
    assert json.loads(request.body)["HostConfig"]["DeviceRequests"][0]["Count"] == 2


def test_a_volume_is_the_tenants_own() -> None:
    host = {"Binds": ["data:/data:ro"], "Mounts": [{"Type": "volume", "Source": "cache", "Target": "/cache"}]}
    request = parse_request(body(HostConfig=host, Labels={"swarmkeeper.tenant": "acme"}), **FLEET)
    admitted = json.loads(request.body)["HostConfig"]
    assert admitted["Binds"] == ["acme.data:/data:ro"]
    assert admitted["Mounts"] == [{"Type": "volume", "Source": "acme.cache", "Target": "/cache"}]


def test_the_tenant_is_always_written_down() -> None:
    request = parse_request(body(), **FLEET)
    assert request.tenant == request.labels["swarmkeeper.tenant"] == "default"
    assert json.loads(request.body)["Labels"] == {"swarmkeeper.tenant": "default"}


def test_a_tenants_containers_have_a_network_of_their_own_where_the_fleet_says_so() -> None:
    body = {"Name": "web-1", "Image": "web", "Labels": {"swarmkeeper.tenant": "acme"}}
    assert Admission("fleet", 2**27).admit(body).network == "fleet"
    assert Admission("fleet", 2**27, has_tenant_networks=True).admit(body).network == "tenant-acme"
    beside = {**body, "HostConfig": {"NetworkMode": "container:web-2"}}
    assert Admission("fleet", 2**27, has_tenant_networks=True).admit(beside).network == ""


@pytest.mark.parametrize("network", ["tenant-acme", "tenant-other"])
def test_nobody_chooses_a_tenants_network(network: str) -> None:
    body = {"Name": "web-1", "Image": "web", "HostConfig": {"NetworkMode": network}}
    with pytest.raises(InvalidInput, match="NetworkMode"):
        Admission("fleet", 2**27, has_tenant_networks=True).admit(body)


def test_links_and_volumes_from_are_dependencies_that_tie_the_container_to_its_node() -> None:
    host = {"Links": ["db:database"], "VolumesFrom": ["files:ro"]}
    endpoints = {"EndpointsConfig": {"fleet": {"Links": ["queue", "db:database"]}}}
    labels = {"swarmkeeper.movable": "true"}
    request = parse_request(body(HostConfig=host, NetworkingConfig=endpoints, Labels=labels), **FLEET)
    assert request.rules.links == ("db:database", "queue")
    assert request.rules.volumes_from == ("files:ro",)
    assert not request.movable
    assert json.loads(request.body)["NetworkingConfig"]["EndpointsConfig"]["fleet"]["Links"] == ["db:database", "queue"]


def test_a_container_in_anothers_network_is_attached_to_none_of_its_own() -> None:
    request = parse_request(body(HostConfig={"NetworkMode": "container:db"}), **FLEET)
    assert (request.network, request.rules.network_mode) == ("", "container:db")
    assert json.loads(request.body)["HostConfig"]["NetworkMode"] == "container:db"


def test_a_token_tells_equal_requests_apart() -> None:
    admission = Admission(**FLEET)
    assert admission.admit(body(), request_id="a") != admission.admit(body(), request_id="b")


@pytest.mark.parametrize("rule", ["constraint:node==i-0a", "whitelist:node==i-0a"])
def test_a_hard_rule_on_one_node_ties_the_container_to_it(rule: str) -> None:
    request = parse_request(body(Env=[rule], Labels={"swarmkeeper.movable": "true"}), **FLEET)
    assert not request.movable


def test_a_few_affinities_may_name_nothing_to_look_for() -> None:
    searches = [f"affinity:container!=/[{digit}]$/" for digit in range(5)]
    named = [f"affinity:container!=*-db-{number}*" for number in range(20)]
    assert len(parse_request(body(Env=[*searches[:4], *named]), **FLEET).rules.affinities) == 24
    with pytest.raises(InvalidInput, match="at most 4") as caught:
        parse_request(body(Env=searches), **FLEET)
    assert caught.value.field == "affinity"


def test_null_is_an_empty_list_of_rules_as_go_reads_it() -> None:
    assert parse_request(body(Labels={"com.docker.swarm.constraints": "null"}), **FLEET).rules.constraints == ()
