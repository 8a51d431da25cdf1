"""Shared volumes as the engine gets them: NFS in production, a folder that the nodes share here; folders made first."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from swarmkeeper.adapters.engine import DockerEngines
from swarmkeeper.adapters.engine.shared_volumes import HELPER, SharedStorage, with_shared_volumes
from swarmkeeper.adapters.engine.storage_source import storage_of
from swarmkeeper.domain.model import Node
from swarmkeeper.edge.settings_volumes import NFS_OPTIONS, SharedVolumes
from swarmkeeper.errors import Declined, InvalidInput, Unavailable
from tests.unit.adapters.engine.simulated_fleet import FLEET, IMAGE, SimulatedFleet, a_request

NFS = SharedStorage("/exports", IMAGE, server="files.example", options=NFS_OPTIONS)
FOLDER = SharedStorage("/srv/shared", IMAGE)
SHARED = {
    "Type": "volume",
    "Source": "acme.data",
    "Target": "/data",
    "VolumeOptions": {"DriverConfig": {"Name": "shared"}},
}
LOCAL = {"Type": "volume", "Source": "acme.cache", "Target": "/cache"}
MOUNTS: dict[str, Any] = {"HostConfig": {"Mounts": [SHARED, LOCAL]}}


def mounted(storage: SharedStorage) -> list[dict[str, Any]]:
    body = with_shared_volumes({"HostConfig": {"Memory": 1, "Mounts": [SHARED, LOCAL]}}, storage)
    host: Any = body["HostConfig"]
    assert host["Memory"] == 1
    return list(host["Mounts"])


def test_a_shared_volume_is_one_of_the_local_driver_with_nfs_options() -> None:
    shared, local = mounted(NFS)
    assert shared["VolumeOptions"]["DriverConfig"] == {
        "Name": "local",
        "Options": {"type": "nfs", "o": f"addr=files.example,{NFS_OPTIONS}", "device": ":/exports/acme/data"},
    }
    assert (shared["Source"], shared["Target"]) == ("shared_acme.data", "/data")
    assert local == LOCAL


def test_where_there_is_no_nfs_it_is_a_folder_that_the_nodes_share() -> None:
    options = mounted(FOLDER)[0]["VolumeOptions"]["DriverConfig"]["Options"]
    assert options == {"type": "none", "o": "bind", "device": "/srv/shared/acme/data"}


def test_the_root_of_an_export_has_one_slash() -> None:
    assert SharedStorage("/", IMAGE, server="files.example").driver_options()["device"] == ":/"
    assert SharedStorage("/", IMAGE, server="files.example").driver_options("a/b")["device"] == ":/a/b"


def test_no_volume_of_a_tenants_own_has_the_name_of_a_shared_one() -> None:
    names = [mount["Source"] for mount in mounted(NFS)]
    assert names == ["shared_acme.data", "acme.cache"]


def test_a_body_without_shared_volumes_is_left_as_it_is() -> None:
    body: dict[str, object] = {"HostConfig": {"Mounts": [LOCAL]}}
    assert with_shared_volumes(body, None) is body


def test_a_fleet_that_has_none_any_more_says_so() -> None:
    with pytest.raises(Declined, match="no longer have shared volumes"):
        with_shared_volumes(dict(MOUNTS), None)


@pytest.fixture
def engines(fleet: SimulatedFleet) -> DockerEngines:
    return DockerEngines(fleet.clients, fleet=FLEET, storage=FOLDER)


def test_a_volumes_folder_is_made_once_an_engine_and_by_nobody_who_stays(
    fleet: SimulatedFleet, engines: DockerEngines, worker: Node
) -> None:
    engines.create(worker, a_request("web-1", **MOUNTS))
    engine = fleet.machines.engine(worker.id)
    assert set(engine.volumes) == {"shared-root", "shared_acme.data", "acme.cache"}
    assert engine.volumes["shared-root"]["device"] == "/srv/shared"
    assert [one.name for one in engine.containers.values()] == ["web-1"]
    starts: list[str] = []

    def note(operation: str) -> float:
        starts.append(operation)
        return 0.0

    engine.faults.latency = note
    engines.create(worker, a_request("web-2", **MOUNTS))
    assert "wait" not in starts


def test_what_a_call_that_died_has_left_does_not_stand_in_the_way(
    fleet: SimulatedFleet, engines: DockerEngines, worker: Node
) -> None:
    engine = fleet.machines.engine(worker.id)
    died = iter([True])

    def refuse_once(operation: str) -> bool:
        return operation == "create" and next(died, False)

    engine.faults.loses_answer = refuse_once
    with pytest.raises(Unavailable):
        engines.create(worker, a_request("web-1", **MOUNTS))
    assert all(one.name.startswith(HELPER) for one in engine.containers.values())
    engines.create(worker, a_request("web-1", **MOUNTS))
    assert [one.name for one in engine.containers.values()] == ["web-1"]


def test_a_node_that_lacks_the_helpers_image_declines_and_pulls_nothing_of_it(
    fleet: SimulatedFleet, worker: Node
) -> None:
    engines = DockerEngines(fleet.clients, fleet=FLEET, storage=replace(FOLDER, image="registry.example/other:1"))
    with pytest.raises(Declined, match=r"lacks registry\.example/other:1"):
        engines.create(worker, a_request("web-1", **MOUNTS))


def test_the_settings_and_the_template_say_where_they_are() -> None:
    image = {"SWARMKEEPER_JOIN_IMAGE": IMAGE}
    efs = SharedVolumes(kind="efs")
    assert storage_of(None, {}) is None
    found = storage_of(efs, {**image, "SWARMKEEPER_SHARED_SERVER": "fs-1.efs.example"})
    assert found == SharedStorage("/", IMAGE, server="fs-1.efs.example", options=NFS_OPTIONS)
    nfs = SharedVolumes(kind="nfs", server="files.example", path="/exports")
    assert storage_of(nfs, image) == NFS
    here = storage_of(nfs, {**image, "SWARMKEEPER_SHARED_DIRECTORY": "/srv/shared"})
    assert here == FOLDER


def test_a_function_that_was_told_nothing_says_what_is_missing() -> None:
    with pytest.raises(InvalidInput, match="SWARMKEEPER_SHARED_SERVER"):
        storage_of(SharedVolumes(kind="efs"), {"SWARMKEEPER_JOIN_IMAGE": IMAGE})


def test_the_body_that_is_stored_says_nothing_of_the_server() -> None:
    assert "files.example" not in json.dumps(json.loads(a_request("web-1", **MOUNTS).body))
