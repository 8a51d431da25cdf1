"""Simulated instances: their documents, their Swarm, the way to them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509

from local.machines import Instance, MachineError, NodeCommand
from local.machines.simulated import SimulatedMachines
from swarmkeeper.domain.model import Node, Role
from swarmkeeper.errors import Conflict, ImageMissing, Unavailable
from swarmkeeper.ports import Layer
from tests.unit.adapters.engine.authority import Authority
from tests.unit.adapters.engine.simulated_fleet import NETWORK, SimulatedFleet, a_request, encoded


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedFleet]:
    fleet = SimulatedFleet(monkeypatch)
    yield fleet
    fleet.close()


@pytest.fixture
def manager(simulated: SimulatedFleet) -> Node:
    return simulated.grow(1, Role.MANAGER)


def test_the_csr_document_prints_a_signing_request_and_makes_the_key_once(simulated: SimulatedFleet) -> None:
    node = simulated.launch(1)
    first, second = (simulated.run(node, "node-csr").stdout for _ in range(2))
    keys = [x509.load_pem_x509_csr(text.encode()).public_key() for text in (first, second)]
    assert keys[0] == keys[1]
    assert x509.load_pem_x509_csr(first.encode()).is_signature_valid


def test_the_join_document_ends_with_the_nodes_id_and_state(simulated: SimulatedFleet, manager: Node) -> None:
    output = simulated.join(simulated.launch(2))
    last = json.loads(output.stdout.splitlines()[-1])
    listed = {node.host_name: node.id for node in simulated.swarm.nodes(manager)}
    assert last == {"node_id": listed["i-00000002"], "state": "active"}


def test_joining_twice_is_joining_once(simulated: SimulatedFleet, manager: Node) -> None:
    node = simulated.launch(2)
    assert simulated.join(node).stdout == simulated.join(node).stdout
    assert len(simulated.swarm.nodes(manager)) == 2


def test_a_member_that_is_told_to_join_again_keeps_its_certificate(simulated: SimulatedFleet, manager: Node) -> None:
    node, stranger = simulated.grow(2), Authority()
    certificate = stranger.sign(simulated.run(node, "node-csr").stdout, node.address)
    again = simulated.join(node, certificate=encoded(certificate), authority=encoded(stranger.pem))
    assert (again.exit_code, simulated.engines.facts(node).swarm_state) == (0, "active")


def test_an_engine_does_not_listen_before_it_has_a_certificate(simulated: SimulatedFleet, manager: Node) -> None:
    with pytest.raises(Unavailable):
        simulated.engines.facts(simulated.launch(2))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"mode": "restart"}, "mode", id="an unknown mode"),
        pytest.param({"role": "leader"}, "role", id="an unknown role"),
        pytest.param({"managers": ""}, "managers", id="no managers"),
        pytest.param({"managers": "10.42.0.99:2377,10.42.0.98:2377"}, "connection error", id="no manager answers"),
        pytest.param({"address": "10.42.9.9"}, "cannot assign requested address", id="another's address"),
        pytest.param({"certificate": "?"}, "certificate", id="a certificate that isn't base64"),
        pytest.param({"certificate": encoded(Authority().pem)}, "fit the key", id="a certificate for another key"),
        pytest.param({"authority": encoded("nonsense")}, "fit the key", id="an authority that is none"),
    ],
)
def test_a_join_that_cannot_work_fails_and_says_why(
    simulated: SimulatedFleet, manager: Node, changed: dict[str, str], message: str
) -> None:
    output = simulated.join(simulated.launch(2), **changed)
    assert (output.exit_code, output.stdout) == (1, "")
    assert message in output.stderr
    assert len(simulated.swarm.nodes(manager)) == 1


def test_a_wrong_token_does_not_join_and_is_not_printed(simulated: SimulatedFleet, manager: Node) -> None:
    simulated.tokens["worker"] = "SWMTKN-1-wrong"
    output = simulated.join(simulated.launch(2))
    assert output.exit_code == 1
    assert "valid join token" in output.stderr
    assert "SWMTKN" not in output.stderr


def test_a_token_that_cannot_be_read_fails_the_script(simulated: SimulatedFleet, manager: Node) -> None:
    del simulated.tokens["worker"]
    output = simulated.join(simulated.launch(2))
    assert output.exit_code == 1
    assert "token" in output.stderr


def test_without_a_signing_request_there_is_nothing_to_join_with(simulated: SimulatedFleet, manager: Node) -> None:
    certificate = simulated.authority.sign(simulated.run(manager, "node-csr").stdout, "10.42.0.9")
    node = simulated.launch(2)
    parameters = {"mode": "join", "role": "worker", "managers": "x", "address": node.address}
    output = simulated.run(
        node, "node-join", **parameters, certificate=encoded(certificate), authority=encoded(simulated.authority.pem)
    )
    assert (output.exit_code, "no key" in output.stderr) == (1, True)


def test_the_managers_token_makes_a_manager(simulated: SimulatedFleet, manager: Node) -> None:
    simulated.grow(2, Role.MANAGER)
    assert [node.role for node in simulated.swarm.nodes(manager)] == [Role.MANAGER, Role.MANAGER]


def test_leaving_takes_the_node_down_and_may_be_repeated(simulated: SimulatedFleet, manager: Node) -> None:
    worker = simulated.grow(2)
    assert [simulated.run(worker, "node-leave").exit_code for _ in range(2)] == [0, 0]
    assert {node.host_name: node.ready for node in simulated.swarm.nodes(manager)}[worker.id] is False
    assert simulated.engines.facts(worker).swarm_state == "inactive"


def test_an_image_is_missing_until_it_is_pulled(simulated: SimulatedFleet, manager: Node) -> None:
    worker = simulated.grow(2)
    request = a_request(image="registry.example/tool:2")
    with pytest.raises(ImageMissing):
        simulated.engines.create(worker, request)
    assert simulated.run(worker, "node-pull", image="registry.example/tool:2").exit_code == 0
    simulated.engines.create(worker, request)


def test_an_image_that_the_registry_lacks_is_not_pulled(simulated: SimulatedFleet) -> None:
    output = simulated.run(simulated.launch(2), "node-pull", image="nonexistent/tool:2")
    assert output.exit_code == 1
    assert "pull access denied for nonexistent/tool:2" in output.stderr


def test_what_a_stopped_container_has_written_is_saved_and_is_in_a_copy_elsewhere(
    simulated: SimulatedFleet, manager: Node
) -> None:
    source, target = simulated.grow(2), simulated.grow(3)
    made = simulated.engines.create(source, a_request())
    simulated.engines.start(source, made)
    simulated.machines.engine(source.id).container(made).written += ("notes",)
    repository = "registry.example:5000/snapshots/acme/web-1"
    save = {"container": made, "image": f"{repository}:00000000000000aa"}
    refused = simulated.run(source, "node-save", **save)
    assert (refused.exit_code, "is running" in refused.stderr) == (1, True)
    simulated.engines.stop(source, a_request().name, network=NETWORK)
    first, second = (simulated.run(source, "node-save", **save) for _ in range(2))
    assert first.stdout == second.stdout
    image = f"{repository}@{first.stdout.strip()}"
    with pytest.raises(ImageMissing):
        simulated.engines.create(target, a_request(), image=image)
    assert simulated.run(target, "node-pull", image=image).exit_code == 0
    copy = simulated.engines.create(target, a_request(), image=image)
    assert simulated.machines.engine(target.id).container(copy).below == (("notes",),)
    with pytest.raises(Conflict, match="made from another image"):
        simulated.engines.create(target, a_request())
    layer = simulated.engines.layer(target, copy)
    assert layer == Layer(size_bytes=0, below=2)
    assert simulated.run(target, "node-pull", image=f"{repository}@sha256:{'0' * 64}").exit_code == 1


def test_a_document_that_is_not_known_cannot_be_run(simulated: SimulatedFleet) -> None:
    output = simulated.run(simulated.launch(2), "node-paint")
    assert output.exit_code == 127
    assert "demo-node-paint" in output.stderr


def test_an_instance_that_has_ended_is_gone_for_everybody(simulated: SimulatedFleet, manager: Node) -> None:
    worker = simulated.grow(2)
    simulated.engines.facts(worker)
    for _ in range(2):
        simulated.machines.stop(worker.id)
    assert simulated.machines.running() == (manager.id,)
    with pytest.raises(Unavailable):
        simulated.engines.facts(worker)
    with pytest.raises(MachineError):
        simulated.run(worker, "node-csr")


def test_a_name_is_gone_from_the_network_with_its_instance(simulated: SimulatedFleet, manager: Node) -> None:
    worker = simulated.grow(2)
    simulated.engines.start(worker, simulated.engines.create(worker, a_request()))
    network = simulated.machines.engine(manager.id).managed().networks[NETWORK]
    assert len(network.resolve("web-1")) == 1
    simulated.machines.stop(worker.id)
    assert network.resolve("web-1") == []


def test_a_vanished_node_is_down_only_after_the_managers_have_missed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    simulated = SimulatedFleet(monkeypatch, down_after_s=13.0, clock=lambda: now[0])
    manager, worker = simulated.grow(1, Role.MANAGER), simulated.grow(2)
    simulated.machines.stop(worker.id)
    ready = []
    for now[0] in (100.0, 112.9, 113.0):
        ready.append({node.host_name: node.ready for node in simulated.swarm.nodes(manager)}[worker.id])
    assert ready == [True, True, False]
    simulated.close()


def test_a_new_instance_may_have_the_address_of_one_that_ended(simulated: SimulatedFleet, manager: Node) -> None:
    worker = simulated.grow(2)
    simulated.engines.facts(worker)
    simulated.machines.stop(worker.id)
    simulated.machines.start(Instance("i-0000beef", worker.address, "t3.small", ""))
    assert simulated.machines.running() == (manager.id, "i-0000beef")


@pytest.mark.parametrize(
    "instance",
    [
        pytest.param(Instance("i-00000001", "10.42.0.99", "t3.small", ""), id="the id is in use"),
        pytest.param(Instance("i-00000009", "10.42.0.5", "t3.small", ""), id="the address is in use"),
        pytest.param(Instance("i-00000009", "10.42.0.99", "toaster", ""), id="an unknown type"),
    ],
)
def test_an_impossible_instance_does_not_start(simulated: SimulatedFleet, manager: Node, instance: Instance) -> None:
    with pytest.raises(MachineError):
        simulated.machines.start(instance)
    assert simulated.machines.running() == (manager.id,)


def test_close_ends_everything_and_may_be_repeated() -> None:
    machines = SimulatedMachines(lambda role: "")
    machines.start(Instance("i-00000001", "10.42.0.5", "t3.small", ""))
    machines.close()
    machines.close()
    assert machines.running() == ()


@pytest.mark.parametrize(
    ("method", "target"),
    [
        pytest.param("GET", "/", id="not a CONNECT"),
        pytest.param("CONNECT", "10.42.0.99:2376", id="no such instance"),
        pytest.param("CONNECT", "10.42.0.5:22", id="another port"),
        pytest.param("CONNECT", "nonsense", id="no port"),
    ],
)
def test_the_proxy_leads_to_engines_only(simulated: SimulatedFleet, manager: Node, method: str, target: str) -> None:
    connection = http.client.HTTPConnection(simulated.machines.extra_env["HTTPS_PROXY"].removeprefix("http://"))
    connection.request(method, target)
    assert connection.getresponse().status == 502
    connection.close()


def test_a_hundred_nodes_join_at_once_and_all_answer(simulated: SimulatedFleet, manager: Node) -> None:
    with ThreadPoolExecutor(4) as pool:
        workers = list(pool.map(simulated.grow, range(2, 102)))
        names = list(pool.map(lambda node: simulated.engines.facts(node).name, workers))
    assert names == [node.id for node in workers]
    assert sum(node.ready for node in simulated.swarm.nodes(manager)) == 101


def test_a_command_for_an_instance_that_never_was_is_refused(simulated: SimulatedFleet) -> None:
    with pytest.raises(MachineError, match="i-0000dead"):
        simulated.machines.run("i-0000dead", NodeCommand("c-1", "demo-node-csr", ""))


def ready_in_the_swarm(simulated: SimulatedFleet, manager: Node, node: Node) -> bool:
    return next(listed.ready for listed in simulated.swarm.nodes(manager) if listed.host_name == node.id)


def reached(simulated: SimulatedFleet, node: Node) -> bool:
    try:
        simulated.engines.facts(node)
    except Unavailable:
        return False
    return True


@pytest.mark.parametrize(
    ("part", "ready", "answers"),
    [
        pytest.param("cut_off", False, False, id="from everybody"),
        pytest.param("part_from_us", True, False, id="from us"),
        pytest.param("part_from_managers", False, True, id="from the managers"),
        pytest.param("halt", False, False, id="its engine is stopped"),
    ],
)
def test_a_node_can_be_parted_from_one_side_or_both_and_comes_back(
    simulated: SimulatedFleet, manager: Node, part: str, ready: bool, answers: bool
) -> None:
    node = simulated.grow(2)
    getattr(simulated.machines, part)(node.id)
    assert (ready_in_the_swarm(simulated, manager, node), reached(simulated, node)) == (ready, answers)
    simulated.machines.heal(node.id)
    assert (ready_in_the_swarm(simulated, manager, node), reached(simulated, node)) == (True, True)


def test_what_ran_on_an_engine_that_is_stopped_has_ended_when_it_comes_back_and_on_one_cut_off_it_runs_on(
    simulated: SimulatedFleet, manager: Node
) -> None:
    cut_off, halted = simulated.grow(2), simulated.grow(3)
    for node in (cut_off, halted):
        simulated.engines.start(node, simulated.engines.create(node, a_request(f"on-{node.id}")))
    simulated.machines.cut_off(cut_off.id)
    simulated.machines.halt(halted.id)
    held = simulated.machines.held()
    assert [one.running for one in held[cut_off.id]] == [True]
    assert [one.running for one in held[halted.id]] == [False]
    simulated.machines.heal(halted.id)
    assert [one.running for one in simulated.engines.containers(halted)] == [False]
