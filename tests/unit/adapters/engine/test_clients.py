from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import pytest

from local.machines.simulated_network import Refusal
from swarmkeeper.adapters.engine import DockerEngines, EngineClients, Timeouts
from swarmkeeper.domain.model import Node
from swarmkeeper.errors import Unavailable
from tests.unit.adapters.engine.authority import Authority
from tests.unit.adapters.engine.simulated_fleet import FLEET, SimulatedFleet


class Recorder:
    """Counts the operations that an engine is asked for; used as its latency."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def __call__(self, operation: str) -> float:
        self.seen[operation] += 1
        return 0.0


def test_the_api_version_is_asked_for_once_a_node(fleet: SimulatedFleet, worker: Node) -> None:
    recorder = fleet.machines.engine(worker.id).faults.latency = Recorder()
    for _ in range(5):
        fleet.engines.facts(worker)
    assert recorder.seen == {"version": 1, "info": 5}


def test_a_kept_connection_is_used_again(fleet: SimulatedFleet, worker: Node) -> None:
    accepted = len(fleet.machines._gateway._connections)  # what the proxy serves now
    for _ in range(5):
        fleet.engines.facts(worker)
    assert len(fleet.machines._gateway._connections) == accepted + 1


def test_a_connection_that_broke_while_we_were_frozen_is_made_again(fleet: SimulatedFleet, worker: Node) -> None:
    fleet.engines.facts(worker)
    broken = iter([True])

    def break_once(operation: str) -> float:
        if next(broken, False):
            raise ConnectionResetError
        return 0.0

    fleet.machines.engine(worker.id).faults.latency = break_once
    assert fleet.engines.facts(worker).name == worker.id


def test_an_engine_that_always_breaks_off_is_unavailable(fleet: SimulatedFleet, worker: Node) -> None:
    fleet.engines.facts(worker)
    fleet.machines.engine(worker.id).faults.unreachable = True
    with pytest.raises(Unavailable, match="info"):
        fleet.engines.facts(worker)


def test_an_engine_that_comes_back_is_reached_again(fleet: SimulatedFleet, worker: Node) -> None:
    fleet.machines.cut_off(worker.id)
    with pytest.raises(Unavailable):
        fleet.engines.facts(worker)
    fleet.machines.heal(worker.id)
    assert fleet.engines.facts(worker).name == worker.id


def test_an_engine_that_answers_too_late_is_unavailable(fleet: SimulatedFleet, worker: Node) -> None:
    fleet.machines.engine(worker.id).faults.latency = lambda operation: 30.0
    clients = EngineClients(fleet.authority.client, timeouts=Timeouts(connect_s=5, answer_s=0.1))
    with pytest.raises(Unavailable, match="ReadTimeout"):
        DockerEngines(clients, fleet=FLEET).facts(worker)
    clients.close()


def test_an_engine_that_fails_is_unavailable(fleet: SimulatedFleet, worker: Node) -> None:
    fleet.machines.engine(worker.id).faults.refusal = lambda operation: Refusal(500, "no space left on device")
    with pytest.raises(Unavailable, match="no space left"):
        fleet.engines.facts(worker)


def test_a_node_without_an_address_is_unavailable(fleet: SimulatedFleet, worker: Node) -> None:
    with pytest.raises(Unavailable, match="no address"):
        fleet.engines.facts(replace(worker, address=""))


def test_a_rotated_identity_is_read_after_a_tls_error(fleet: SimulatedFleet, worker: Node) -> None:
    identities = iter([fleet.authority.client(trusting=Authority()), fleet.authority.client()])
    clients = EngineClients(lambda: next(identities))
    engines = DockerEngines(clients, fleet=FLEET)
    with pytest.raises(Unavailable):
        engines.facts(worker)
    assert engines.facts(worker).name == worker.id
    clients.close()


def test_the_identity_is_not_read_before_an_engine_is_called() -> None:
    def unread() -> None:
        raise AssertionError("read too early")

    EngineClients(unread).close()  # type: ignore[arg-type]  # it must not be called at all


def test_calls_are_observed_by_operation_even_when_they_fail(fleet: SimulatedFleet, worker: Node) -> None:
    observed: list[str] = []
    clients = EngineClients(fleet.authority.client, observe=lambda operation, seconds: observed.append(operation))
    engines = DockerEngines(clients, fleet=FLEET)
    engines.containers(worker)
    fleet.machines.engine(worker.id).faults.unreachable = True
    with pytest.raises(Unavailable):
        engines.facts(worker)
    assert observed == ["list", "info"]
    clients.close()


def test_many_threads_may_call_the_same_and_other_engines(fleet: SimulatedFleet, manager: Node, worker: Node) -> None:
    names: Counter[str] = Counter()

    def call() -> None:
        for node in (manager, worker):
            names[fleet.engines.facts(node).name] += 1

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert names == {manager.id: 8, worker.id: 8}
