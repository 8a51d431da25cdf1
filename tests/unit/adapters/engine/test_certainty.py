"""What is known of a call that failed: that nothing has begun, that nothing was done, or nothing at all."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from local.machines.simulated_network import Refusal
from swarmkeeper.adapters.engine import DockerEngines, EngineClients, Timeouts
from swarmkeeper.adapters.engine.timeouts import LONGEST_S, TO_RUN_S, time_left_s
from swarmkeeper.domain.model import Node, NodeId
from swarmkeeper.errors import Declined, Unavailable, Unreachable
from swarmkeeper.services.pending import BEGIN_WITHIN_S
from swarmkeeper.services.placer import NEXT_WITHIN_S
from tests.unit.adapters.engine.simulated_fleet import FLEET, SimulatedFleet, a_request

PLACEMENT_TIMEOUT_S = 30.0


def kind_of(error: pytest.ExceptionInfo[Unavailable]) -> type[Unavailable]:
    return type(error.value)


def test_an_engine_that_can_not_be_reached_has_begun_nothing(fleet: SimulatedFleet, worker: Node) -> None:
    fleet.machines.cut_off(worker.id)
    with pytest.raises(Unavailable) as error:
        fleet.engines.create(worker, a_request())
    assert kind_of(error) is Unreachable


def test_an_engine_that_takes_a_connection_and_says_nothing_has_begun_nothing(
    fleet: SimulatedFleet, worker: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HTTPS_PROXY")
    silent = replace(worker, id=NodeId("i-00000000000000ccc"), address="127.0.0.99")
    clients = EngineClients(fleet.authority.client, timeouts=Timeouts(connect_s=0.5, answer_s=0.5))
    with socket.create_server((silent.address, 2376)), pytest.raises(Unavailable) as error:
        DockerEngines(clients, fleet=FLEET).create(silent, a_request())
    assert kind_of(error) is Unreachable
    clients.close()


def test_a_known_engine_that_went_away_has_begun_nothing(fleet: SimulatedFleet, worker: Node) -> None:
    fleet.engines.facts(worker)
    fleet.clients.close()
    fleet.machines.stop(worker.id)
    with pytest.raises(Unavailable) as error:
        fleet.engines.create(worker, a_request())
    assert kind_of(error) is Unreachable


def test_an_answer_that_something_failed_means_that_it_was_not_done(fleet: SimulatedFleet, worker: Node) -> None:
    refusal = Refusal(500, "no space left on device")
    fleet.machines.engine(worker.id).faults.refusal = lambda asked: refusal if asked == "create" else None
    with pytest.raises(Unavailable) as error:
        fleet.engines.create(worker, a_request())
    assert kind_of(error) is Declined


def test_an_answer_that_does_not_come_means_nothing(fleet: SimulatedFleet, worker: Node) -> None:
    clients = EngineClients(fleet.authority.client, timeouts=Timeouts(connect_s=5, answer_s=0.5))
    engines = DockerEngines(clients, fleet=FLEET)
    engines.facts(worker)
    fleet.machines.engine(worker.id).faults.latency = lambda operation: 30.0
    with pytest.raises(Unavailable) as error:
        engines.create(worker, a_request())
    assert kind_of(error) is Unavailable
    clients.close()


def test_a_request_that_may_have_arrived_before_its_connection_broke_means_nothing(
    fleet: SimulatedFleet, worker: Node
) -> None:
    """The second try finds nobody, but the first may have been heard."""
    fleet.engines.facts(worker)
    engine = fleet.machines.engine(worker.id)

    def break_off_for_good(operation: str) -> float:
        engine.faults.unreachable = True
        raise ConnectionResetError

    engine.faults.latency = break_off_for_good
    with pytest.raises(Unavailable) as error:
        fleet.engines.create(worker, a_request())
    assert kind_of(error) is Unavailable


def test_the_requests_of_one_operation_share_its_time() -> None:
    with Timeouts(answer_s=100.0).over("create"):
        first = time_left_s(otherwise=1.0)
        assert time_left_s(otherwise=1.0) <= first <= 100.0
    assert time_left_s(otherwise=1.0) == 1.0


def test_an_operation_whose_time_is_over_does_not_wait_for_ever() -> None:
    with Timeouts(answer_s=-1.0).over("create"):
        assert 0 < time_left_s(otherwise=1.0) < 1


def test_every_operation_has_a_limit_of_its_own() -> None:
    for operation, longest_s in LONGEST_S.items():
        with Timeouts().over(operation):
            assert longest_s - 1 < time_left_s(otherwise=0.0) <= longest_s


def test_a_function_outlives_its_engine_calls() -> None:
    assert max(NEXT_WITHIN_S, BEGIN_WITHIN_S) + TO_RUN_S < PLACEMENT_TIMEOUT_S - 3
