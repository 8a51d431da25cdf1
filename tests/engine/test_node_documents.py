"""The documents, the user data and the compose projects on real engines, as Run Command runs them."""

from __future__ import annotations

import base64
import json
import re
import shutil
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest

from infra.documents import DOCUMENTS, constants, script_lines
from infra.names import Names
from infra.projects import compose_projects
from local.aws.server import AwsServer
from local.images import push_images
from local.machines import CommandOutput, Instance, NodeCommand
from local.machines.real import RealMachines
from local.registry import Registry
from swarmkeeper.adapters.pki.x509 import KeyPair, make_authority, make_client, sign_node
from swarmkeeper.edge.settings import Settings, load_settings
from tests.engine.conftest import VPC, an_instance
from tests.fakes.websocket import Refused, WebSocket

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
USER_DATA = (ROOT / "infra" / "user_data.sh").read_text(encoding="utf-8")
MANAGER, WORKER, NEWCOMER = (an_instance(number, USER_DATA) for number in (81, 82, 83))
BUCKET = "assets"


def _settings() -> Settings:
    told = json.loads(load_settings(ROOT / "swarmkeeper.demo.yaml").to_json())
    told["fleet"] = "test"
    told["network"] |= {"vpc_cidr": VPC, "isolation": "fleet", "body_limit": "1MiB"}
    return Settings.from_json(json.dumps(told))


class Fleet:
    """Runs documents on machines with what the template would fill in."""

    def __init__(self, machines: RealMachines, server: AwsServer, images: Mapping[str, str], registry: str) -> None:
        self.machines = machines
        self.registry = registry
        self.server = server
        self.images = images
        self.authority = make_authority("test", datetime.now(UTC))
        projects = compose_projects()
        s3 = server.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": server.region})
        s3.upload_file(str(projects.path), BUCKET, projects.path.name)
        own = {**images, "cadvisor": "", "telegraf": ""}  # nodes without monitoring have no use for them
        self.constants = constants(
            _settings(), Names("test"), projects, own, region=server.region, bucket=BUCKET, key=projects.path.name
        )

    def run(self, node: str, document: str, **parameters: str) -> CommandOutput:
        script = "\n".join(script_lines(DOCUMENTS[document], self.constants))
        for name in DOCUMENTS[document].parameters:
            script = script.replace(f"{{{{ {name} }}}}", parameters.get(name, ""))
        return self.machines.run(node, NodeCommand("command", document, script, timeout_s=120.0))

    def shell(self, node: str, script: str) -> str:
        output = self.machines.run(node, NodeCommand("command", "shell", script, timeout_s=60.0))
        assert output.exit_code == 0, output.stderr
        return output.stdout.strip()

    def try_join(self, node: str, address: str, mode: str, role: str, managers: str = "") -> CommandOutput:
        request = self.run(node, "node-csr")
        assert request.exit_code == 0, request.stderr
        certificate = sign_node(self.authority, request.stdout, node_id=node, address=address, now=datetime.now(UTC))
        return self.run(
            node, "node-join", mode=mode, role=role, managers=managers, address=address,
            certificate=_encoded(certificate), authority=_encoded(self.authority.certificate),
        )  # fmt: skip

    def join(self, node: str, address: str, mode: str, role: str, managers: str = "") -> dict[str, str]:
        output = self.try_join(node, address, mode, role, managers)
        assert output.exit_code == 0, output.stderr
        answer: dict[str, str] = json.loads(output.stdout.splitlines()[-1])
        return answer


def _encoded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


@pytest.fixture(scope="module")
def fleet(machines: RealMachines, registry: Registry, registry_port: int) -> Iterator[Fleet]:
    """A manager and a worker that have joined, with the fleet's network between them."""
    with AwsServer("0.0.0.0", registry_port + 1) as server:
        address = f"{machines.router}:{registry_port}"
        images = push_images(address, join_script=ROOT / "compose" / "join" / "join.sh")
        made = Fleet(machines, server, images, address)
        machines.start(MANAGER)
        machines.start(WORKER)
        made.join(MANAGER.id, MANAGER.private_ip, "init", "manager")
        made.shell(MANAGER.id, "docker network create --driver overlay --attachable --subnet 10.112.0.0/24 fleet")
        token = made.shell(MANAGER.id, "docker swarm join-token --quiet worker")
        server.client("ssm").put_parameter(Name="/test/join-token/worker", Value=token, Type="SecureString")
        server.client("ssm").put_parameter(Name="/wrong/join-token/worker", Value="SWMTKN-1-wrong", Type="SecureString")
        made.join(WORKER.id, WORKER.private_ip, "join", "worker", f"{MANAGER.private_ip}:2377")
        yield made


def test_the_user_data_names_the_host_after_its_instance(fleet: Fleet) -> None:
    assert fleet.shell(WORKER.id, "hostname") == WORKER.id
    listed = fleet.shell(MANAGER.id, "docker node ls --format '{{.Hostname}} {{.Status}}'")
    assert {f"{MANAGER.id} Ready", f"{WORKER.id} Ready"} <= set(listed.splitlines())


def test_joining_twice_changes_nothing(fleet: Fleet) -> None:
    before = fleet.shell(WORKER.id, "docker info --format '{{.Swarm.NodeID}}'; docker ps -q")
    answer = fleet.join(WORKER.id, WORKER.private_ip, "join", "worker", f"{MANAGER.private_ip}:2377")
    assert answer == {"node_id": before.splitlines()[0], "state": "active"}


def test_what_ends_on_a_node_is_told_under_the_nodes_own_source(fleet: Fleet) -> None:
    told: list[dict[str, str]] = []
    backend = fleet.server.backend("events")

    def put_events(entries: list[dict[str, str]]) -> list[dict[str, str]]:
        told.extend(entries)
        return [{"EventId": "1"} for _ in entries]

    backend.put_events = put_events
    image = fleet.images["web"]
    fleet.shell(WORKER.id, f"docker run --detach --name stranger {image} sleep 60; docker rm --force stranger")
    fleet.shell(WORKER.id, f"docker run --detach --label swarmkeeper.fleet=test --name ours {image} sleep 60")
    fleet.shell(WORKER.id, "docker rm --force ours")
    _await(lambda: "die ours" in fleet.shell(WORKER.id, "cat /var/log/swarmkeeper-agent.log"))
    before = len(told)  # that the agent began to listen may have been told only now
    _await(lambda: len(told) > before)
    event = told[-1]
    assert (event["Source"], event["DetailType"]) == ("swarmkeeper.test.node", "Container Ended")
    assert json.loads(event["Detail"]) == {"fleet": "test", "node": WORKER.id}
    assert "stranger" not in fleet.shell(WORKER.id, "cat /var/log/swarmkeeper-agent.log")


def _await(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not so():
        assert time.monotonic() < deadline, "not within 30 s"
        time.sleep(0.1)


def test_the_token_is_left_nowhere_on_the_node(fleet: Fleet) -> None:
    token = fleet.server.client("ssm").get_parameter(Name="/test/join-token/worker", WithDecryption=True)
    secret = token["Parameter"]["Value"].rpartition("-")[2]
    # In two parts, or the search would find its own script.
    secret = f'"{secret[:8]}""{secret[8:]}"'
    found = f"grep -rlF {secret} /run/swarmkeeper /tmp /opt/swarmkeeper /root /var/lib/docker/containers 2>/dev/null"
    assert fleet.shell(WORKER.id, f"{found} || true") == ""


def test_the_engine_takes_only_clients_of_the_fleet(fleet: Fleet, tmp_path: Path) -> None:
    client = make_client(fleet.authority, "placement", datetime.now(UTC))
    assert _ping(WORKER.private_ip, fleet.authority, client, tmp_path) == 200
    with pytest.raises(ssl.SSLError):
        _ping(WORKER.private_ip, fleet.authority, None, tmp_path)


def _ping(address: str, authority: KeyPair, client: KeyPair | None, folder: Path) -> int:
    context = ssl.create_default_context(cadata=authority.certificate)
    if client is not None:
        (folder / "client.pem").write_text(client.certificate + client.key, encoding="ascii")
        context.load_cert_chain(folder / "client.pem")
    connection = HTTPSConnection(address, 2376, context=context, timeout=5)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status
    finally:
        connection.close()


def _ask(host: str, path: str = "/", *, router: str = WORKER.private_ip, **headers: str) -> tuple[int, str, float]:
    """Status, body and seconds of a request to a router, the worker's unless told."""
    connection = HTTPConnection(router, 8080, timeout=10)
    start = time.monotonic()
    try:
        connection.request("GET", path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), time.monotonic() - start
    finally:
        connection.close()


@pytest.fixture(scope="module")
def web(fleet: Fleet) -> str:
    """A container on the manager's engine, so that the worker's router must cross the overlay."""
    command = f"docker run -d --name alice --hostname alice --network fleet --network-alias alice {fleet.images['web']}"
    fleet.shell(MANAGER.id, command)
    return "alice"


@pytest.mark.parametrize("host", ["alice.fleet.example", "alice--8080.fleet.example", "ALICE.fleet.example"])
def test_a_container_answers_to_its_name_across_nodes(web: str, host: str) -> None:
    until = time.monotonic() + 20
    status, body, _ = _ask(host)
    while status != 200 and time.monotonic() < until:
        status, body, _ = _ask(host)
    assert (status, body.strip()) == (200, web)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("nobody.fleet.example", 404), ("alice--1.fleet.example", 503), ("2130706433.fleet.example", 404),
        ("alice.elsewhere.example", 404), ("router.fleet.example", 404), ("router--8080.fleet.example", 404),
        ("node-router-1--8080.fleet.example", 404), ("localhost--8080.fleet.example", 404),
        ("127.0.0.1", 404), ("169.254.169.254.fleet.example", 404), ("a--b.fleet.example", 404),
    ],
)  # fmt: skip
def test_a_name_that_is_no_container_is_refused_quickly(web: str, host: str, expected: int) -> None:
    status, _, seconds = _ask(host)
    assert (status, seconds < 1) == (expected, True)


def test_a_router_passes_nothing_on_that_a_router_has_passed_on(web: str) -> None:
    assert _ask(f"{web}.fleet.example", **{"Swarmkeeper-Router": "1"})[0] == 508


@pytest.mark.skipif(shutil.which("websocketd") is None, reason="websocketd is missing")
def test_a_terminal_over_a_websocket_on_another_node(fleet: Fleet) -> None:
    image = push_images(fleet.registry, "terminal")["terminal"]
    fleet.shell(MANAGER.id, f"docker run --detach --name tina --network fleet {image}")
    with _terminal("tina.fleet.example") as terminal:
        terminal.send(b"test -t 0 && echo a-ter''minal\n")
        assert b"a-terminal" in terminal.receive_until(b"a-terminal")
        terminal.send(b"echo $((6 * 7))\n")
        assert b"42" in terminal.receive_until(b"42")


def _terminal(host: str) -> WebSocket:
    """The container's terminal, once it listens and its name is known across the overlay."""
    until = time.monotonic() + 20
    while True:
        try:
            return WebSocket((WORKER.private_ip, 8080), host)
        except Refused:
            assert time.monotonic() < until, "no terminal within 20 s"


def test_a_container_that_was_removed_is_refused_and_each_request_is_a_line_in_the_engines_log(fleet: Fleet) -> None:
    fleet.shell(WORKER.id, f"docker run --detach --name dave --network fleet {fleet.images['web']}")
    _await(lambda: _ask("dave.fleet.example")[0] == 200)
    fleet.shell(WORKER.id, "docker rm --force --volumes dave")
    _await(lambda: _ask("dave.fleet.example", "/gone?token=s3cr3t")[0] == 404)

    def logged_lines() -> list[dict[str, object]]:
        return [
            json.loads(line) for line in fleet.shell(WORKER.id, "docker logs node-router-1 2>/dev/null").splitlines()
        ]

    _await(lambda: any((line["path"], line["status"]) == ("/gone", 404) for line in logged_lines()))
    logged = logged_lines()
    last = [line for line in logged if line["name"] == "dave"][-1]
    assert (last["path"], last["status"], last["port"]) == ("/gone", 404, 80)
    assert last["client"] == fleet.machines.router
    assert not any(line["path"] == "/healthz" for line in logged)


def test_the_load_balancers_health_check_is_answered_under_any_name(fleet: Fleet) -> None:
    assert _ask(WORKER.private_ip, "/healthz")[:2] == (200, "ok\n")


@pytest.fixture
def newcomer(fleet: Fleet) -> Iterator[Instance]:
    """A booted instance that is no member yet."""
    fleet.machines.start(NEWCOMER)
    yield NEWCOMER
    fleet.machines.stop(NEWCOMER.id)


def test_a_refused_join_says_why_and_leaves_the_way_free_for_a_good_one_and_for_leaving(
    fleet: Fleet, newcomer: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, address, manager = newcomer.id, newcomer.private_ip, f"{MANAGER.private_ip}:2377"
    with monkeypatch.context() as wrong:
        wrong.setitem(fleet.constants, "TOKEN_PREFIX", "/wrong/join-token")
        refused = fleet.try_join(node, address, "join", "worker", manager)
    # The registrar gives the last line as its reason.
    assert re.search("refused: .*invalid join token", refused.stderr.splitlines()[-1])
    assert fleet.join(node, address, "join", "worker", manager)["state"] == "active"
    for _ in range(2):
        output = fleet.run(node, "node-leave")
        assert output.exit_code == 0, output.stderr
    assert fleet.shell(node, "docker info --format '{{.Swarm.LocalNodeState}}'; docker ps -aq") == "inactive"


def test_a_join_that_is_repeated_with_another_certificate_disturbs_nothing_that_runs(
    fleet: Fleet, newcomer: Instance
) -> None:
    node, address, manager = newcomer.id, newcomer.private_ip, f"{MANAGER.private_ip}:2377"
    first = fleet.join(node, address, "join", "worker", manager)
    fleet.shell(node, f"docker run -d --name bob --hostname bob --network fleet {fleet.images['web']}")
    look = "docker inspect --format '{{.Name}} {{.State.StartedAt}}' bob node-router-1; cat /run/docker.pid"
    before = fleet.shell(node, f"{look}; sha256sum /etc/docker/tls/cert.pem")
    assert fleet.join(node, address, "join", "worker", manager) == first
    assert fleet.shell(node, f"{look}; sha256sum /etc/docker/tls/cert.pem") == before
    assert _ask("bob.fleet.example", router=address)[:2] == (200, "bob\n")


def test_two_joins_at_once_end_with_one_member_whose_router_answers(fleet: Fleet, newcomer: Instance) -> None:
    node, address, manager = newcomer.id, newcomer.private_ip, f"{MANAGER.private_ip}:2377"
    with ThreadPoolExecutor(2) as both:
        joins = [both.submit(fleet.join, node, address, "join", "worker", manager) for _ in range(2)]
        first, second = (join.result() for join in joins)
    assert first == second
    assert _ask(address, "/healthz", router=address)[0] == 200


def test_a_router_that_its_engine_could_not_start_again_is_brought_back_and_the_node_can_leave(
    fleet: Fleet, newcomer: Instance
) -> None:
    node, address, manager = newcomer.id, newcomer.private_ip, f"{MANAGER.private_ip}:2377"
    fleet.join(node, address, "join", "worker", manager)
    # An engine waits 30 s for the answer of each node on the overlay, and the router's start for 20 s only.
    silence = f"INPUT --source {WORKER.private_ip} --protocol tcp --dport 7946 --jump DROP"
    fleet.shell(node, f"iptables --insert {silence}; systemctl restart docker; iptables --delete {silence}")
    assert fleet.shell(node, "docker inspect --format '{{.State.Running}}' node-router-1") == "false"
    fleet.join(node, address, "join", "worker", manager)
    assert _ask(address, "/healthz", router=address)[0] == 200
    output = fleet.run(node, "node-leave")
    assert output.exit_code == 0, output.stderr
    assert fleet.shell(node, "docker info --format '{{.Swarm.LocalNodeState}}'; docker ps -aq") == "inactive"


def test_an_image_is_pulled_and_a_missing_one_is_an_error(fleet: Fleet) -> None:
    assert fleet.run(MANAGER.id, "node-pull", image=fleet.images["web"]).exit_code == 0
    missing = fleet.images["web"].partition("@")[0] + "-nowhere:1"
    assert fleet.run(MANAGER.id, "node-pull", image=missing).exit_code != 0
