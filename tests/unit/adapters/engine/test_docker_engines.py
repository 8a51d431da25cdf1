"""The adapter where engines misbehave, or hold what isn't ours."""

from __future__ import annotations

import pytest

from local.machines.simulated_network import Refusal
from swarmkeeper.domain.model import ContainerName, Node
from swarmkeeper.errors import Conflict, ImageMissing, InvalidInput, SwarmkeeperError, Unavailable
from tests.unit.adapters.engine.simulated_fleet import IMAGE, NETWORK, SimulatedFleet, a_request

WEB = ContainerName("web-1")


def refuse(fleet: SimulatedFleet, node: Node, operation: str, status: int, message: str) -> None:
    """Let the node's engine refuse one operation."""
    refusal = Refusal(status, message)
    fleet.machines.engine(node.id).faults.refusal = lambda asked: refusal if asked == operation else None


def run(fleet: SimulatedFleet, node: Node, **body: object) -> str:
    made = fleet.engines.create(node, a_request(**body))  # type: ignore[arg-type]  # further members of the body
    fleet.engines.start(node, made)
    return made


def put_a_strangers_container(fleet: SimulatedFleet, node: Node, **labels: str) -> str:
    """A container called like ours that this fleet has not made, e.g. by hand."""
    engine = fleet.machines.engine(node.id)
    made = engine.create(WEB, {"Image": IMAGE, "Labels": labels})
    engine.start(made)
    return made


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        pytest.param(400, "Invalid volume specification", InvalidInput, id="the request is wrong"),
        pytest.param(404, "No such image: web:1", ImageMissing, id="no image"),
        pytest.param(404, "network fleet not found", Unavailable, id="no network yet"),
        pytest.param(500, "no space left on device", Unavailable, id="the engine fails"),
        pytest.param(503, "the daemon is shutting down", Unavailable, id="the engine ends"),
    ],
)
def test_what_an_engine_answers_to_create_becomes_an_error_of_ours(
    fleet: SimulatedFleet, worker: Node, status: int, message: str, expected: type[SwarmkeeperError]
) -> None:
    refuse(fleet, worker, "create", status, message)
    with pytest.raises(expected, match=message):
        fleet.engines.create(worker, a_request())


def test_a_command_that_cannot_be_run_is_the_requests_fault(fleet: SimulatedFleet, worker: Node) -> None:
    refuse(fleet, worker, "start", 400, 'exec: "absent": executable file not found in $PATH')
    with pytest.raises(InvalidInput, match="executable file not found"):
        run(fleet, worker)


def test_an_explanation_without_end_is_cut(fleet: SimulatedFleet, worker: Node) -> None:
    refuse(fleet, worker, "info", 500, "x" * 10_000)
    with pytest.raises(Unavailable) as failed:
        fleet.engines.facts(worker)
    assert len(str(failed.value)) < 1_000


def test_a_name_that_the_engine_holds_before_it_lists_the_container_is_tried_again(
    fleet: SimulatedFleet, worker: Node
) -> None:
    refuse(fleet, worker, "create", 409, 'The container name "/web-1" is already in use')
    with pytest.raises(Unavailable, match="still making or removing"):
        fleet.engines.create(worker, a_request())


def test_a_container_that_is_being_removed_is_not_taken_over(fleet: SimulatedFleet, worker: Node) -> None:
    made = fleet.engines.create(worker, a_request())
    fleet.machines.engine(worker.id).containers[made].status = "removing"
    with pytest.raises(Unavailable, match="still making or removing"):
        fleet.engines.create(worker, a_request())


def test_a_removal_that_goes_on_is_not_taken_for_done(fleet: SimulatedFleet, worker: Node) -> None:
    run(fleet, worker)
    refuse(fleet, worker, "remove", 409, "removal of container web-1 is already in progress")
    with pytest.raises(Unavailable, match="still removing"):
        fleet.engines.remove(worker, WEB)


def test_a_container_that_vanishes_while_it_is_removed_is_removed(fleet: SimulatedFleet, worker: Node) -> None:
    run(fleet, worker)
    refuse(fleet, worker, "remove", 404, "No such container: web-1")
    fleet.engines.remove(worker, WEB)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({}, id="no labels"),
        pytest.param({"swarmkeeper.fleet": "other", "swarmkeeper.name": "web-1"}, id="another fleet's"),
        pytest.param({"swarmkeeper.fleet": "demo", "swarmkeeper.name": "web-2"}, id="another name's"),
    ],
)
def test_a_strangers_container_is_neither_stopped_nor_removed_nor_taken_over(
    fleet: SimulatedFleet, worker: Node, labels: dict[str, str]
) -> None:
    made = put_a_strangers_container(fleet, worker, **labels)
    fleet.engines.stop(worker, WEB, network=NETWORK)
    fleet.engines.remove(worker, WEB)
    with pytest.raises(Conflict):
        fleet.engines.create(worker, a_request())
    assert fleet.machines.engine(worker.id).container(made).running


def test_only_the_fleets_containers_are_listed(fleet: SimulatedFleet, worker: Node) -> None:
    put_a_strangers_container(fleet, worker)
    fleet.engines.create(worker, a_request("web-2"))
    assert [container.name for container in fleet.engines.containers(worker)] == ["web-2"]


def test_a_name_that_is_the_beginning_of_an_id_finds_nothing(fleet: SimulatedFleet, worker: Node) -> None:
    made = run(fleet, worker)
    fleet.engines.remove(worker, ContainerName(made[:12]))
    assert len(fleet.engines.containers(worker)) == 1


def test_all_names_answer_again_after_a_stop_and_a_resume(fleet: SimulatedFleet, worker: Node) -> None:
    run(fleet, worker, NetworkingConfig={"EndpointsConfig": {NETWORK: {"Aliases": ["db"]}}})
    membership = fleet.machines.engine(worker.id).membership
    assert membership is not None
    network = membership.swarm.networks[NETWORK]
    answers = {name: network.resolve(name) for name in (WEB, "db")}
    assert all(len(addresses) == 1 for addresses in answers.values())
    fleet.engines.stop(worker, WEB, network=NETWORK)
    assert not any(network.resolve(name) for name in answers)
    fleet.engines.resume(worker, WEB, network=NETWORK)
    assert {name: network.resolve(name) for name in answers} == answers


def test_a_stop_that_failed_half_way_is_finished_by_the_next(fleet: SimulatedFleet, worker: Node) -> None:
    made = run(fleet, worker)
    refuse(fleet, worker, "disconnect", 500, "an error")
    with pytest.raises(Unavailable):
        fleet.engines.stop(worker, WEB, network=NETWORK)
    refuse(fleet, worker, "nothing", 500, "")
    fleet.engines.stop(worker, WEB, network=NETWORK)
    assert fleet.machines.engine(worker.id).container(made).networks == {}


def test_a_create_whose_answer_was_lost_is_one_container(fleet: SimulatedFleet, worker: Node) -> None:
    engine = fleet.machines.engine(worker.id)
    fleet.engines.facts(worker)
    body_seen = iter([True])

    def done_then_lost(operation: str) -> float:
        if operation == "create" and next(body_seen, False):
            engine.create(WEB, created_body)
            raise ConnectionResetError
        return 0.0

    request = a_request()
    made_before = fleet.engines.create(worker, request)
    created_body = dict(engine.container(made_before).config)
    fleet.engines.remove(worker, WEB)
    engine.faults.latency = done_then_lost
    made = fleet.engines.create(worker, request)
    assert list(engine.containers) == [made]
