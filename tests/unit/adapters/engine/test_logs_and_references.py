"""The end of a container's output, and containers that another one depends on, by the real adapter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from local.machines.simulated_container import SimulatedContainer
from swarmkeeper.adapters.engine.create_body import create_body
from swarmkeeper.adapters.engine.log_tails import last_bytes
from swarmkeeper.domain.model import ContainerName, Node, Request
from swarmkeeper.errors import Conflict
from swarmkeeper.ports import LogTail
from tests.unit.adapters.engine.simulated_fleet import SimulatedFleet, a_request

DB = ContainerName("db")


def owned(name: str, tenant: str, **host: object) -> Request:
    return replace(a_request(name, Labels={"swarmkeeper.tenant": tenant}, HostConfig=host), tenant=tenant)


def on_engine(fleet: SimulatedFleet, node: Node, name: str) -> SimulatedContainer:
    return fleet.machines.engine(node.id).container(name)


def test_the_last_lines_are_read_from_the_engine(fleet: SimulatedFleet, worker: Node) -> None:
    fleet.engines.start(worker, fleet.engines.create(worker, a_request("db")))
    on_engine(fleet, worker, "db").output[:] = [f"line {number}\n".encode() for number in range(5)]
    assert fleet.engines.logs(worker, DB, tail=2, most_bytes=1000) == LogTail(b"line 3\nline 4\n")


def test_output_of_a_terminal_is_read_too(fleet: SimulatedFleet, worker: Node) -> None:
    fleet.engines.create(worker, a_request("db", Tty=True))
    on_engine(fleet, worker, "db").output[:] = [b"$ ls\n", b"files\n"]
    assert fleet.engines.logs(worker, DB, tail=10, most_bytes=1000) == LogTail(b"$ ls\nfiles\n")


def test_output_beyond_the_limit_is_cut_at_a_line(fleet: SimulatedFleet, worker: Node) -> None:
    fleet.engines.create(worker, a_request("db"))
    on_engine(fleet, worker, "db").output[:] = [b"line 0\n", b"line 1\n", b"line 2\n"]
    assert fleet.engines.logs(worker, DB, tail=10, most_bytes=10) == LogTail(b"line 2\n", is_cut=True)


def test_a_container_that_is_not_there_has_no_output(fleet: SimulatedFleet, worker: Node) -> None:
    assert fleet.engines.logs(worker, DB, tail=10, most_bytes=10) is None


@pytest.mark.parametrize(
    ("pieces", "most", "expected"),
    [
        pytest.param([], 5, LogTail(b""), id="nothing"),
        pytest.param([b"ab\n", b"cd\n"], 6, LogTail(b"ab\ncd\n"), id="just as much"),
        pytest.param([b"ab\n", b"cd\n"], 5, LogTail(b"cd\n", is_cut=True), id="one byte less"),
        pytest.param([b"abcdefgh"], 3, LogTail(b"fgh", is_cut=True), id="a line that is too long"),
    ],
)
def test_only_the_end_of_a_stream_is_kept(pieces: list[bytes], most: int, expected: LogTail) -> None:
    assert last_bytes(iter(pieces), most) == expected


def test_a_dependency_reaches_the_engine_as_an_id(fleet: SimulatedFleet, worker: Node) -> None:
    made = fleet.engines.create(worker, owned("db", "acme"))
    request = owned("web-1", "acme", VolumesFrom=["db:ro"], NetworkMode="container:db")
    fleet.engines.create(worker, replace(request, network=""))
    host = on_engine(fleet, worker, "web-1").host_config
    assert (host["VolumesFrom"], host["NetworkMode"]) == ([f"{made}:ro"], f"container:{made}")


@pytest.mark.parametrize(
    ("name", "tenant"),
    [
        pytest.param("db", "globex", id="another tenant's"),
        pytest.param("nobody", "acme", id="not there"),
    ],
)
def test_a_dependency_on_what_is_not_the_tenants_is_refused(
    fleet: SimulatedFleet, worker: Node, name: str, tenant: str
) -> None:
    fleet.engines.create(worker, owned("db", tenant))
    with pytest.raises(Conflict, match="is not there"):
        fleet.engines.create(worker, owned("web-1", "acme", VolumesFrom=[name]))


def test_the_beginning_of_an_id_is_no_reference(fleet: SimulatedFleet, worker: Node) -> None:
    made = fleet.engines.create(worker, owned("db", "acme"))
    with pytest.raises(Conflict, match="is not there"):
        fleet.engines.create(worker, owned("web-1", "acme", VolumesFrom=[made[:8]]))


def test_links_reach_the_engine_on_the_fleets_network() -> None:
    links = {"EndpointsConfig": {"fleet": {"Links": ["db:database"]}}}
    sent = create_body(a_request("web-1", NetworkingConfig=links), fleet="demo")
    assert sent["NetworkingConfig"] == {"EndpointsConfig": {"fleet": {"Links": ["db:database"], "Aliases": ["web-1"]}}}
