"""Networks of tenants on simulated engines: made on demand, with the node's router on each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from docker import APIClient
from docker.errors import APIError
from requests import Response

from swarmkeeper.adapters.engine.tenant_networks import REFUSES, ROUTER, TenantEngines, TenantRouters
from swarmkeeper.domain.model import Node
from swarmkeeper.errors import Conflict, Declined, NoManager
from tests.unit.adapters.engine.simulated_fleet import FLEET, IMAGE, NETWORK, SimulatedFleet, a_request

LABELS = dict(label.split("=") for label in ROUTER)


@pytest.fixture
def asked() -> list[str]:
    """The networks that were asked for."""
    return []


@pytest.fixture
def routers(fleet: SimulatedFleet, manager: Node, asked: list[str]) -> TenantRouters:
    def ensure(name: str) -> None:
        asked.append(name)
        fleet.swarm.ensure_network(manager, name, None)

    return TenantRouters(fleet.clients, ensure=ensure)


@pytest.fixture
def engines(fleet: SimulatedFleet, routers: TenantRouters) -> TenantEngines:
    return TenantEngines(fleet.clients, fleet=FLEET, routers=routers)


def start_router(fleet: SimulatedFleet, node: Node, **labels: str) -> str:
    """What Compose starts on a node; its id."""
    body = {
        "Image": IMAGE,
        "Labels": LABELS | {REFUSES: "10.96.0.0/12"} | labels,
        "HostConfig": {"NetworkMode": NETWORK},
        "NetworkingConfig": {"EndpointsConfig": {NETWORK: {}}},
    }
    with fleet.clients.calling(node, "create") as engine:
        made = engine.create_container_from_config(body, name="node-router-1")  # type: ignore[no-untyped-call]  # its stub has no types
        engine.start(made["Id"])
    return str(made["Id"])


def networks_of(fleet: SimulatedFleet, node: Node, container: str) -> set[str]:
    with fleet.clients.calling(node, "inspect") as engine:
        return set(engine.inspect_container(container)["NetworkSettings"]["Networks"])


def run(engines: TenantEngines, node: Node, name: str, tenant: str) -> None:
    engines.start(node, engines.create(node, a_request(name, network=f"tenant-{tenant}")))


def test_a_tenants_first_container_brings_its_network_and_the_router_onto_it(
    fleet: SimulatedFleet, worker: Node, engines: TenantEngines
) -> None:
    router = start_router(fleet, worker)
    run(engines, worker, "web-1", "a")
    run(engines, worker, "web-2", "b")
    assert networks_of(fleet, worker, "web-1") == {"tenant-a"}
    assert networks_of(fleet, worker, "web-2") == {"tenant-b"}
    assert networks_of(fleet, worker, router) == {NETWORK, "tenant-a", "tenant-b"}


def test_networks_of_tenants_have_addresses_of_their_own(
    fleet: SimulatedFleet, manager: Node, worker: Node, engines: TenantEngines
) -> None:
    run(engines, worker, "web-1", "a")
    run(engines, worker, "web-2", "b")
    with fleet.clients.calling(manager, "list") as engine:
        configs = [each["IPAM"]["Config"][0]["Subnet"] for each in engine.networks()]
    assert len(set(configs)) == 3


def test_no_manager_is_asked_for_a_network_that_the_router_is_on(
    fleet: SimulatedFleet, worker: Node, engines: TenantEngines, asked: list[str]
) -> None:
    start_router(fleet, worker)
    for number in range(3):
        run(engines, worker, f"web-{number}", "a")
    assert asked == ["tenant-a"]


def test_a_container_that_carries_the_routers_labels_is_put_on_no_network(
    fleet: SimulatedFleet, worker: Node, engines: TenantEngines
) -> None:
    spy = a_request("spy", network="tenant-a", Labels=LABELS)
    engines.start(worker, engines.create(worker, spy))
    run(engines, worker, "web-1", "b")
    assert networks_of(fleet, worker, "spy") == {"tenant-a"}


def test_a_container_without_the_network_needs_none(
    fleet: SimulatedFleet, worker: Node, engines: TenantEngines, asked: list[str]
) -> None:
    engines.create(worker, replace(a_request("alone"), network=""))
    assert asked == []


def test_a_router_that_was_made_anew_is_attached_when_a_container_is_resumed(
    fleet: SimulatedFleet, worker: Node, engines: TenantEngines
) -> None:
    run(engines, worker, "web-1", "a")
    engines.stop(worker, a_request("web-1").name, network="tenant-a")
    router = start_router(fleet, worker)
    engines.resume(worker, a_request("web-1").name, network="tenant-a")
    assert networks_of(fleet, worker, router) == {NETWORK, "tenant-a"}


def test_nothing_is_made_while_no_manager_can_make_its_network(fleet: SimulatedFleet, worker: Node) -> None:
    def ensure(name: str) -> None:
        raise NoManager("no manager is ready yet")

    engines = TenantEngines(fleet.clients, fleet=FLEET, routers=TenantRouters(fleet.clients, ensure=ensure))
    with pytest.raises(NoManager):
        engines.create(worker, a_request("web-1", network="tenant-a"))
    assert engines.containers(worker) == ()


def test_a_node_whose_router_refuses_no_containers_gets_none_of_a_tenants_own_network(
    fleet: SimulatedFleet, worker: Node, engines: TenantEngines, asked: list[str]
) -> None:
    router = start_router(fleet, worker, **{REFUSES: ""})
    with pytest.raises(Declined, match="is to be replaced"):
        engines.create(worker, a_request("web-1", network="tenant-a"))
    assert (asked, networks_of(fleet, worker, router)) == ([], {NETWORK})


def test_a_router_that_does_not_run_is_attached_all_the_same(
    fleet: SimulatedFleet, worker: Node, engines: TenantEngines
) -> None:
    router = start_router(fleet, worker)
    with fleet.clients.calling(worker, "stop") as engine:
        engine.stop(router)
    run(engines, worker, "web-1", "a")
    assert networks_of(fleet, worker, router) == {NETWORK, "tenant-a"}


def refusing(monkeypatch: pytest.MonkeyPatch, status: int, explanation: str) -> None:
    """Have every engine refuse to connect a container so."""

    def connect(engine: APIClient, container: str, network: str) -> None:
        answer = Response()
        answer.status_code = status
        raise APIError(explanation, response=answer, explanation=explanation)

    monkeypatch.setattr(APIClient, "connect_container_to_network", connect)


@pytest.mark.parametrize(
    ("status", "explanation"),
    [
        (403, "endpoint with name node-router-1 already exists in network tenant-a"),
        (409, "node-router-1 is already attached to network tenant-a"),
    ],
)
def test_a_router_that_another_call_attaches_first_is_on_the_network(
    fleet: SimulatedFleet,
    worker: Node,
    routers: TenantRouters,
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    explanation: str,
) -> None:
    start_router(fleet, worker)
    refusing(monkeypatch, status, explanation)
    routers.attach(worker, "tenant-a")
    assert asked == ["tenant-a"]


def test_a_router_that_can_not_be_attached_for_another_reason_is_not_on_the_network(
    fleet: SimulatedFleet, worker: Node, routers: TenantRouters, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_router(fleet, worker)
    refusing(monkeypatch, 409, "container node-router-1 is marked for removal")
    with pytest.raises(Conflict, match="marked for removal"):
        routers.attach(worker, "tenant-a")


def test_a_router_leaves_a_network_once(
    fleet: SimulatedFleet, worker: Node, engines: TenantEngines, routers: TenantRouters
) -> None:
    router = start_router(fleet, worker)
    run(engines, worker, "web-1", "a")
    assert routers.networks(worker) == frozenset({NETWORK, "tenant-a"})
    for _ in range(2):
        routers.detach(worker, "tenant-a")
    assert networks_of(fleet, worker, router) == {NETWORK}
    assert routers.networks(worker) == frozenset({NETWORK})


def test_a_router_that_refuses_no_containers_is_none_for_tenants(
    fleet: SimulatedFleet, worker: Node, routers: TenantRouters
) -> None:
    assert routers.networks(worker) is None
    start_router(fleet, worker, **{REFUSES: ""})
    assert routers.networks(worker) is None


def test_what_an_engine_remembers_counts_as_used_though_it_stands_still(
    fleet: SimulatedFleet, worker: Node, engines: TenantEngines, routers: TenantRouters
) -> None:
    start_router(fleet, worker)
    run(engines, worker, "web-1", "a")
    with fleet.clients.calling(worker, "stop") as engine:
        engine.stop("web-1")
    routers.detach(worker, "tenant-a")
    assert routers.used(worker) == {NETWORK, "tenant-a"}


def test_the_swarm_removes_a_tenants_network_that_nothing_is_attached_to(
    fleet: SimulatedFleet, manager: Node, worker: Node, engines: TenantEngines
) -> None:
    run(engines, worker, "web-1", "a")
    assert fleet.swarm.tenant_networks(manager) == ("tenant-a",)
    assert not fleet.swarm.remove_network(manager, "tenant-a")
    engines.remove(worker, "web-1")
    assert fleet.swarm.remove_network(manager, "tenant-a")
    assert fleet.swarm.remove_network(manager, "tenant-a")
    assert fleet.swarm.tenant_networks(manager) == ()
