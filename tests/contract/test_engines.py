"""What the ports `Engines` and `Swarm` promise, shown by the real adapter over mutual TLS.

Each test runs on every site: simulated engines, and real ones where a fixture `real_site` gives them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from swarmkeeper.domain.model import ContainerName, Node, NodeId, Request, Resources, Role
from swarmkeeper.domain.placement.labels import STANDARD_LABELS
from swarmkeeper.errors import Conflict, ImageMissing, InvalidInput, Unavailable, Unreachable
from swarmkeeper.ports import EngineRecord, Engines, Swarm
from tests.unit.adapters.engine.simulated_fleet import IMAGE, NETWORK, SUBNET, SimulatedFleet

MIB = 2**20
WEB = ContainerName("web-1")


@dataclass(frozen=True, slots=True)
class Site:
    """A manager and a worker that have joined, a network between them, and an image that the worker holds."""

    engines: Engines
    swarm: Swarm
    manager: Node
    worker: Node
    restart: Callable[[], None]
    """Start the worker's engine anew."""
    image: str = IMAGE
    network: str = NETWORK
    subnet: str = SUBNET

    def request(self, name: str = WEB, *, image: str = "", memory_mib: int = 64, **body: object) -> Request:
        """A request for a container that waits, with further members of Docker's create body."""
        image = image or self.image
        text = json.dumps({"Image": image, "Cmd": ["sleep", "600"], **body}, sort_keys=True)
        reservation = Resources(100_000_000, memory_mib * MIB)
        return Request(ContainerName(name), image, reservation=reservation, network=self.network, body=text)

    def run(self, name: str = WEB) -> str:
        """Create and start a container; returns its id."""
        made = self.engines.create(self.worker, self.request(name))
        self.engines.start(self.worker, made)
        return made

    def running(self) -> dict[str, bool]:
        return {container.name: container.running for container in self.engines.containers(self.worker)}


@pytest.fixture
def simulated_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    fleet = SimulatedFleet(monkeypatch)
    manager, worker = fleet.grow(1, Role.MANAGER), fleet.grow(2)

    def restart() -> None:
        fleet.machines.halt(worker.id)
        fleet.machines.heal(worker.id)

    yield Site(fleet.engines, fleet.swarm, manager, worker, restart)
    fleet.close()


@pytest.fixture(params=["simulated"])
def site(request: pytest.FixtureRequest) -> Site:
    found = request.getfixturevalue(f"{request.param}_site")
    assert isinstance(found, Site)
    return found


def test_an_engine_says_its_name_its_capacity_and_that_it_is_in_the_swarm(site: Site) -> None:
    facts = site.engines.facts(site.worker)
    assert (facts.name, facts.swarm_state) == (site.worker.id, "active")
    assert facts.capacity.nano_cpus >= 10**9
    assert facts.capacity.memory_bytes > 256 * MIB
    assert facts.version
    assert facts.labels.keys() == STANDARD_LABELS
    assert facts.labels["ostype"] == "linux"
    assert all(facts.labels.values())


def test_a_created_container_is_listed_and_not_started(site: Site) -> None:
    made = site.engines.create(site.worker, site.request())
    [listed] = site.engines.containers(site.worker)
    assert (listed.id, listed.name, listed.running) == (made, WEB, False)


def test_a_started_container_runs_and_may_be_started_again(site: Site) -> None:
    made = site.run()
    site.engines.start(site.worker, made)
    assert site.running() == {WEB: True}


def test_a_container_has_ended_with_its_engine_when_that_was_started_anew_since(site: Site) -> None:
    made, never = site.run(), site.engines.create(site.worker, site.request("never"))
    stopped = site.run("stopped")
    site.engines.stop(site.worker, ContainerName("stopped"), network=site.network)
    assert not any(site.engines.ended_with_engine(site.worker, each) for each in (made, never, stopped, "nobody"))
    site.restart()
    assert site.running() == {WEB: False, "never": False, "stopped": False}
    assert site.engines.ended_with_engine(site.worker, made)
    assert not site.engines.ended_with_engine(site.worker, never)
    site.engines.start(site.worker, made)
    assert not site.engines.ended_with_engine(site.worker, made)


def test_the_labels_of_the_request_are_listed(site: Site) -> None:
    site.engines.create(site.worker, site.request(Labels={"team": "blue", "swarmkeeper.name": "forged"}))
    [listed] = site.engines.containers(site.worker)
    assert listed.labels["team"] == "blue"
    assert listed.labels["swarmkeeper.name"] == WEB


def test_the_same_request_made_twice_is_one_container(site: Site) -> None:
    assert site.engines.create(site.worker, site.request()) == site.engines.create(site.worker, site.request())
    assert len(site.engines.containers(site.worker)) == 1


def test_another_request_does_not_get_a_name_that_is_taken(site: Site) -> None:
    site.run()
    with pytest.raises(Conflict, match=WEB):
        site.engines.create(site.worker, site.request(Env=["OTHER=1"]))
    assert site.running() == {WEB: True}


def test_an_image_that_the_node_lacks_is_said_to_be_missing(site: Site) -> None:
    with pytest.raises(ImageMissing):
        site.engines.create(site.worker, site.request(image="registry.example/absent:1"))


def test_a_request_that_the_engine_finds_wrong_is_invalid(site: Site) -> None:
    with pytest.raises(InvalidInput, match=r"[Mm]emory"):
        site.engines.create(site.worker, site.request(memory_mib=1))


def test_starting_a_container_that_is_gone_is_a_conflict(site: Site) -> None:
    made = site.run()
    site.engines.remove(site.worker, WEB)
    with pytest.raises(Conflict):
        site.engines.start(site.worker, made)


def test_a_container_on_an_unknown_network_may_start_later(site: Site) -> None:
    made = site.engines.create(site.worker, replace(site.request(), network="not-there-yet"))
    with pytest.raises(Unavailable, match="not-there-yet"):
        site.engines.start(site.worker, made)


def test_a_stopped_container_stays_and_resumes(site: Site) -> None:
    site.run()
    for _ in range(2):
        site.engines.stop(site.worker, WEB, network=site.network)
        assert site.running() == {WEB: False}
    for _ in range(2):
        site.engines.resume(site.worker, WEB, network=site.network)
        assert site.running() == {WEB: True}


def test_stopping_or_removing_what_is_not_there_is_harmless(site: Site) -> None:
    site.engines.stop(site.worker, WEB, network=site.network)
    site.engines.remove(site.worker, WEB)
    assert site.running() == {}


def test_resuming_what_is_not_there_is_a_conflict(site: Site) -> None:
    with pytest.raises(Conflict):
        site.engines.resume(site.worker, WEB, network=site.network)


def test_a_running_container_is_removed_and_its_name_is_free_again(site: Site) -> None:
    first = site.run()
    site.engines.remove(site.worker, WEB)
    assert site.running() == {}
    assert site.run() != first


def test_a_container_is_listed_on_its_own_engine_only(site: Site) -> None:
    site.run()
    assert site.engines.containers(site.manager) == ()


def test_what_a_running_container_has_sent_is_counted(site: Site) -> None:
    made = site.engines.create(site.worker, site.request())
    assert site.engines.sent_bytes(site.worker, made) is None
    site.engines.start(site.worker, made)
    sent = site.engines.sent_bytes(site.worker, made)
    assert sent is not None
    assert sent >= 0
    site.engines.stop(site.worker, WEB, network=site.network)
    assert site.engines.sent_bytes(site.worker, made) is None
    assert site.engines.sent_bytes(site.worker, "0" * 64) is None


def test_a_container_that_was_never_started_is_told_from_one_that_has_ended(site: Site) -> None:
    made = site.engines.create(site.worker, site.request())
    assert [each.has_run for each in site.engines.containers(site.worker)] == [False]
    site.engines.start(site.worker, made)
    site.engines.stop(site.worker, WEB, network=site.network)
    assert [(each.running, each.has_run) for each in site.engines.containers(site.worker)] == [(False, True)]


def test_the_same_body_under_another_request_is_another_request(site: Site) -> None:
    site.engines.create(site.worker, site.request())
    with pytest.raises(Conflict, match=WEB):
        site.engines.create(site.worker, replace(site.request(), id="token-2"))


def test_an_engine_that_nobody_answers_for_has_begun_nothing(site: Site) -> None:
    nobody = replace(site.worker, id=NodeId("i-00000009"), address="127.0.0.9")
    with pytest.raises(Unreachable):
        site.engines.create(nobody, site.request())


def test_a_container_is_made_from_another_image_than_its_request_s_where_that_is_given(site: Site) -> None:
    body = json.dumps({"Cmd": ["sleep", "600"]}, separators=(",", ":"))
    request = replace(site.request(), image="registry.example/absent:1", body=body)
    made = site.engines.create(site.worker, request, image=site.image)
    assert site.engines.create(site.worker, request, image=site.image) == made
    recalled = site.engines.recall(site.worker, made)
    assert recalled is not None
    assert (recalled.request, recalled.doubt, recalled.image) == (request, "", site.image)


def test_a_layer_has_a_size_and_layers_below(site: Site) -> None:
    made = site.run()
    layer = site.engines.layer(site.worker, made)
    assert layer is not None
    assert layer.size_bytes < MIB
    assert layer.below >= 1
    assert site.engines.layer(site.worker, "0" * 64) is None


def test_a_request_is_recalled_from_the_container_that_it_made(site: Site) -> None:
    body = {"Cmd": ["sleep", "600"], "Env": ["A=1", "PATH=/bin:/usr/bin"], "Image": site.image}
    request = replace(site.request(), body=json.dumps(body, sort_keys=True, separators=(",", ":")))
    made = site.engines.create(site.worker, request)
    assert site.engines.recall(site.worker, made) == EngineRecord(request, None, image=request.image)
    begun = time.time()
    site.engines.start(site.worker, made)
    recalled = site.engines.recall(site.worker, made)
    assert recalled is not None
    assert (recalled.request, recalled.doubt) == (request, "")
    assert recalled.started_at == pytest.approx(begun, abs=10)


def test_nothing_is_recalled_of_a_container_that_is_gone(site: Site) -> None:
    assert site.engines.recall(site.worker, "f" * 64) is None


def test_the_swarm_lists_its_nodes_by_host_name(site: Site) -> None:
    listed = {node.host_name: (node.role, node.ready) for node in site.swarm.nodes(site.manager)}
    assert listed == {site.manager.id: (Role.MANAGER, True), site.worker.id: (Role.WORKER, True)}


def test_a_node_can_be_labelled_again_and_again(site: Site) -> None:
    for labels in ({"pool": "workers"}, {"pool": "workers"}, {"pool": "gpu", "zone": "a"}):
        site.swarm.label(site.manager, site.worker.swarm_id, labels)
    listed = {node.host_name: node.labels for node in site.swarm.nodes(site.manager)}
    assert listed == {site.manager.id: {}, site.worker.id: {"pool": "gpu", "zone": "a"}}


def test_labelling_a_node_that_is_not_listed_is_a_conflict(site: Site) -> None:
    with pytest.raises(Conflict):
        site.swarm.label(site.manager, "absent", {"pool": "workers"})


def test_a_ready_node_is_not_removed(site: Site) -> None:
    with pytest.raises(Conflict):
        site.swarm.remove(site.manager, site.worker.swarm_id)
    assert len(site.swarm.nodes(site.manager)) == 2


def test_removing_a_node_that_is_not_listed_is_harmless(site: Site) -> None:
    site.swarm.remove(site.manager, "absent")


def test_the_two_roles_have_join_tokens_of_their_own(site: Site) -> None:
    tokens = site.swarm.join_tokens(site.manager)
    assert set(tokens) == set(Role)
    assert tokens[Role.MANAGER] != tokens[Role.WORKER]


def test_a_network_is_made_once(site: Site) -> None:
    site.swarm.ensure_network(site.manager, site.network, site.subnet)


def test_a_network_with_another_subnet_is_refused(site: Site) -> None:
    with pytest.raises(InvalidInput, match=site.network):
        site.swarm.ensure_network(site.manager, site.network, "10.113.0.0/24")


def test_a_worker_does_not_answer_for_the_swarm(site: Site) -> None:
    with pytest.raises(Unavailable, match="manager"):
        site.swarm.nodes(site.worker)


def test_an_engine_that_does_not_listen_is_unavailable(site: Site) -> None:
    nobody = replace(site.worker, id=NodeId("i-00000009"), address="127.0.0.9")
    with pytest.raises(Unavailable, match="i-00000009"):
        site.engines.facts(nobody)
