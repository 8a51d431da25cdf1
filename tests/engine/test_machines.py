"""Two real engines in one VPC on this host, and what a node may and may not see."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from local.images import push_images
from local.machines import Instance, MachineError, NodeCommand, cgroups
from local.machines.network import PID_FILE, overlaps
from local.machines.polling import until
from local.machines.processes import Process, call
from local.machines.real import RealMachines
from local.registry import Registry
from tests.engine.conftest import FIRST_ENGINE, REGION, VPC, Shell, an_instance

pytestmark = pytest.mark.engine

ONE = an_instance(0x10, FIRST_ENGINE)
TWO = an_instance(0x11, hop_limit=2)
BOTH = (ONE, TWO)
VPC_RESOLVER = str(IPv4Network(VPC)[2])

METADATA_CLIENT = f"""ask() {{ {sys.executable} -IS - "$@" <<'PY'
import sys, urllib.error, urllib.request
def ask(method, path, **headers):
    request = urllib.request.Request("http://169.254.169.254/latest/" + path, method=method)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        return urllib.request.urlopen(request, timeout=5).read().decode()
    except urllib.error.HTTPError as error:
        return str(error.code)
if sys.argv[1] == "none":
    print(ask("GET", sys.argv[2]))
elif sys.argv[1] == "token":
    print(ask("PUT", "api/token", X_aws_ec2_metadata_token_ttl_seconds=sys.argv[2]))
else:
    token = ask("PUT", "api/token", X_aws_ec2_metadata_token_ttl_seconds="60")
    print(ask("GET", sys.argv[2], X_aws_ec2_metadata_token=token))
PY
}}
"""
ASK_FROM_CONTAINER = (
    "printf 'GET /latest/meta-data/ HTTP/1.0\\r\\n\\r\\n'"
    # The shell, because what runs as process 1 of a container is deaf to the signal of timeout.
    " | docker run --rm -i --network {network} {image} sh -c 'timeout 2 nc 169.254.169.254 80; true'"
)


@pytest.fixture(scope="module")
def images(registry: Registry) -> Mapping[str, str]:
    """The account's images."""
    return push_images(registry.address)


@pytest.fixture(scope="module", autouse=True)
def engines(machines: RealMachines, registry: Registry, shell: Shell) -> None:
    """Two booted instances: one's engine comes from its user data, the other's from a command."""
    for instance in BOTH:
        machines.start(instance)
    shell(TWO.id, "systemctl start docker")
    assert shell(ONE.id, "cloud-init status --wait") == "status: done"


@pytest.fixture(scope="module")
def overlay(shell: Shell, engines: None, images: Mapping[str, str]) -> Iterator[str]:
    """A Swarm of both engines with an attachable overlay network; its name."""
    shell(ONE.id, f"docker swarm init --advertise-addr {ONE.private_ip} --default-addr-pool 10.99.0.0/16")
    token = shell(ONE.id, "docker swarm join-token -q worker")
    shell(TWO.id, f"docker swarm join --advertise-addr {TWO.private_ip} --token {token} {ONE.private_ip}:2377")
    shell(ONE.id, "docker network create --driver overlay --attachable fleet")
    yield "fleet"
    for instance in BOTH:
        shell(instance.id, "docker ps -aq --filter name=hello | xargs -r docker rm -f; docker swarm leave --force")


@pytest.mark.parametrize("instance", BOTH, ids=["by user data", "by command"])
def test_an_engine_started_as_a_unit_answers_with_compose_and_a_cgroup_of_its_node(
    instance: Instance, shell: Shell
) -> None:
    assert shell(instance.id, "systemctl is-active docker") == "active"
    assert shell(instance.id, "docker info --format '{{.Name}} {{.Driver}}'") == f"{instance.id} overlay2"
    assert shell(instance.id, "docker compose version --short").startswith("2.")


def test_the_host_name_is_the_instance_id_and_the_network_is_the_vpcs_alone(shell: Shell) -> None:
    assert shell(ONE.id, "hostname; cat /etc/hostname").split() == [ONE.id, ONE.id]
    routes = shell(ONE.id, "ip -4 route show dev eth0").splitlines()
    assert [route.split()[0] for route in routes] == [VPC, "169.254.169.254"]


def test_nodes_have_file_systems_of_their_own(shell: Shell) -> None:
    shell(ONE.id, "echo one >/etc/whose; echo one >/tmp/whose")
    assert shell(TWO.id, "ls /etc/whose /tmp/whose 2>/dev/null | wc -l") == "0"
    assert shell(TWO.id, "ls -A /root /home /etc/docker | grep -c secret", exit_code=1) == "0"


def test_a_node_cannot_change_settings_of_the_host(shell: Shell) -> None:
    shell(ONE.id, "echo 5 >/proc/sys/vm/swappiness", exit_code=1)
    assert shell(ONE.id, "cat /proc/sys/net/ipv4/ip_forward") == "1", "the engine sets its node's own"


def test_nodes_reach_each_other_and_the_host_as_router(shell: Shell, machines: RealMachines) -> None:
    for address in (TWO.private_ip, machines.router):
        shell(ONE.id, f"busybox ping -c 1 -W 3 {address}")


def test_what_the_vpc_answers_itself_keeps_its_hardware_address_as_cables_come_and_go(
    state_dir: Path, shell: Shell
) -> None:
    """A bridge without one of its own has its lowest cable's, and loses it with the cable: all nodes lose it then."""
    vpc = Process.from_file(state_dir / PID_FILE)
    assert vpc is not None
    inside = ["nsenter", f"--net=/proc/{vpc.pid}/ns/net", "ip", "-json", "link", "show"]
    [bridge] = json.loads(call([*inside, "type", "bridge"]))
    cables = json.loads(call([*inside, "master", bridge["ifname"]]))
    assert len(cables) > len(BOTH)  # and the host's
    assert bridge["address"] not in {each["address"] for each in cables}
    shell(ONE.id, f"busybox ping -c 1 -W 3 {VPC_RESOLVER}")
    assert bridge["address"] in shell(ONE.id, f"ip neigh show {VPC_RESOLVER}")


def test_a_name_or_address_outside_the_vpc_fails_at_once(shell: Shell, images: Mapping[str, str]) -> None:
    shell(ONE.id, "getent hosts nowhere.example.com", exit_code=2, timeout_s=2)
    said = shell(ONE.id, f"docker run --rm {images['web']} nslookup nowhere.example.com 2>&1 || true", timeout_s=8)
    assert "NXDOMAIN" in said
    shell(ONE.id, "exec 3<>/dev/tcp/192.0.2.1/80", exit_code=1, timeout_s=2)


def test_metadata_is_told_by_address_and_only_for_a_token(shell: Shell) -> None:
    assert shell(ONE.id, METADATA_CLIENT + "ask none meta-data/instance-id") == "401"
    assert shell(ONE.id, METADATA_CLIENT + "ask token 99999") == "400"
    for instance in BOTH:
        assert shell(instance.id, METADATA_CLIENT + "ask with meta-data/instance-id") == instance.id
        assert shell(instance.id, METADATA_CLIENT + "ask with meta-data/local-ipv4") == instance.private_ip
    assert shell(ONE.id, METADATA_CLIENT + "ask with meta-data/placement/region") == REGION
    assert shell(ONE.id, METADATA_CLIENT + "ask with meta-data/iam/security-credentials/") == ONE.role_name
    assert shell(ONE.id, METADATA_CLIENT + "ask with meta-data/spot/instance-action") == "404"


def test_the_cli_takes_the_roles_credentials_from_the_metadata(shell: Shell) -> None:
    listed = shell(ONE.id, "aws configure list")
    assert "iam-role" in listed
    assert REGION in listed


def test_a_container_gets_no_metadata_through_a_hop_limit_of_one(shell: Shell, images: Mapping[str, str]) -> None:
    assert shell(ONE.id, ASK_FROM_CONTAINER.format(network="bridge", image=images["web"])) == ""
    assert "401" in shell(ONE.id, ASK_FROM_CONTAINER.format(network="host", image=images["web"]))
    assert "401" in shell(TWO.id, ASK_FROM_CONTAINER.format(network="bridge", image=images["web"])), "its limit is 2"


def test_images_have_the_same_digest_each_time_and_can_be_pulled(
    shell: Shell, registry: Registry, images: Mapping[str, str]
) -> None:
    assert push_images(registry.address) == images
    for reference in images.values():
        shell(TWO.id, f"docker pull -q {reference}")
    assert "nginx" in shell(TWO.id, f"docker run --rm {images['router']} nginx -v 2>&1")
    assert "Docker version" in shell(TWO.id, f"docker run --rm --entrypoint docker {images['join']} --version")


def test_containers_find_each_other_by_name_across_nodes(shell: Shell, overlay: str, images: Mapping[str, str]) -> None:
    shell(TWO.id, f"docker run -d --name hello --network {overlay} -e NAME=hello {images['web']}")
    for port in (80, 8080):
        asked = f"docker run --rm --network {overlay} {images['web']} wget -qO- http://hello:{port}/"
        assert shell(ONE.id, asked) == "hello"


def test_a_command_gives_its_exit_code_and_both_outputs(machines: RealMachines) -> None:
    output = machines.run(ONE.id, NodeCommand("c", "d", "echo out; echo err >&2; exit 7"))
    assert (output.exit_code, output.stdout, output.stderr) == (7, "out\n", "err\n")


def test_a_command_over_its_time_is_killed_with_what_it_started(machines: RealMachines, shell: Shell) -> None:
    output = machines.run(ONE.id, NodeCommand("c", "d", "echo begun; sleep 4321 & sleep 4321", timeout_s=0.5))
    assert (output.exit_code, output.stdout) == (137, "begun\n")
    shell(ONE.id, "pgrep -f 'sleep 4321'", exit_code=1)


def test_a_command_does_not_wait_for_what_it_leaves_running(machines: RealMachines, shell: Shell) -> None:
    output = machines.run(ONE.id, NodeCommand("c", "d", "setsid sleep 4322 & echo $!", timeout_s=5))
    assert output.exit_code == 0
    shell(ONE.id, f"kill {int(output.stdout)}")  # which fails when it isn't there


def test_the_unit_says_why_an_engine_does_not_start(machines: RealMachines, shell: Shell) -> None:
    node = an_instance(0x20)
    machines.start(node)
    shell(
        node.id, """echo '{"hosts": ["unix:///var/run/docker.sock"], "no-such-setting": 1}' >/etc/docker/daemon.json"""
    )
    output = machines.run(node.id, NodeCommand("c", "d", "systemctl restart docker"))
    assert output.exit_code == 1
    assert "no-such-setting" in output.stderr
    shell(node.id, "systemctl is-active --quiet docker", exit_code=3)
    shell(node.id, """echo '{"hosts": ["unix:///var/run/docker.sock"], "labels": ["a=b"]}' >/etc/docker/daemon.json""")
    shell(node.id, "systemctl restart docker")
    assert shell(node.id, "docker info --format '{{.Labels}}'") == "[a=b]"
    machines.stop(node.id)


def test_failing_user_data_leaves_a_node_that_says_so(machines: RealMachines, shell: Shell) -> None:
    node = an_instance(0x21, "#!/bin/bash\necho to the log\nexit 3\n")
    machines.start(node)
    assert shell(node.id, "cloud-init status --wait", exit_code=1) == "status: error"
    assert "to the log" in (machines.log_dir(node.id) / "cloud-init-output.log").read_text()
    machines.stop(node.id)


def test_a_stopped_node_leaves_nothing_and_its_id_and_address_are_free(
    machines: RealMachines, shell: Shell, images: Mapping[str, str]
) -> None:
    node = an_instance(0x22)
    machines.start(node)
    shell(node.id, f"systemctl start docker; docker run -d {images['web']}")
    members = cgroups.processes(f"swk-{node.id}")
    assert len(members) > 2, "init, boot script, and a container at least"
    machines.stop(node.id)
    assert not any(process.alive() for process in members)
    assert f"swk-{node.id}" not in cgroups.names()
    assert not machines.log_dir(node.id).parent.exists()
    assert node.id not in machines.running()
    with pytest.raises(MachineError, match="not running"):
        machines.run(node.id, NodeCommand("c", "d", "true"))
    machines.start(node)
    machines.stop(node.id)
    machines.stop(node.id)


def test_a_node_that_dies_by_itself_is_no_longer_running(machines: RealMachines, shell: Shell) -> None:
    node = an_instance(0x23)
    machines.start(node)
    with pytest.raises(MachineError, match="has ended"):
        # Sent until it is heard: what comes before process 1 has become tini is lost on it.
        machines.run(node.id, NodeCommand("c", "d", "while kill -TERM 1; do sleep 0.1; done; sleep 4323"))
    assert until(lambda: node.id not in machines.running(), 5)
    machines.stop(node.id)


def test_what_cannot_be_is_refused(machines: RealMachines) -> None:
    for wrong, reason in (
        (ONE, "running already"),
        (an_instance(0x24, id="../etc"), "no instance id"),
        (an_instance(0x24, private_ip="192.0.2.9"), "outside the VPC's range"),
        (an_instance(0x24, private_ip=machines.router), "reserved"),
        (an_instance(0x24, private_ip=ONE.private_ip), "another machine has"),
    ):
        with pytest.raises(MachineError, match=reason):
            machines.start(wrong)
    assert ONE.id in machines.running()


def test_a_range_that_the_host_uses_is_recognised() -> None:
    assert overlaps("127.8.0.0/16") is not None
    assert overlaps("198.18.0.0/28") is None
