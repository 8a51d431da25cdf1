"""What may be asked of volumes, which of them pin their container, and which have one writer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from swarmkeeper.edge.requests import Admission
from swarmkeeper.errors import InvalidInput

FLEET = Admission("fleet", 2**26, has_shared_volumes=True)
MOVABLE = {"swarmkeeper.movable": "true", "swarmkeeper.tenant": "acme"}


def shared(name: str = "data", **more: Any) -> dict[str, Any]:
    options = {"DriverConfig": {"Name": "shared", **more.pop("driver", {})}}
    return {"Type": "volume", "Source": name, "Target": f"/{name}", "VolumeOptions": options, **more}


def body(*mounts: dict[str, Any], **more: Any) -> dict[str, Any]:
    host = {"Mounts": list(mounts), **more}
    return {"Name": "web-1", "Image": "nginx", "Labels": MOVABLE, "HostConfig": host}


def test_a_shared_volume_follows_its_container_and_has_it_as_its_one_writer() -> None:
    request = FLEET.admit(body(shared()))
    assert (request.movable, request.writes) == (True, ("acme/data",))


@pytest.mark.parametrize(
    "pinned",
    [
        pytest.param(body({"Type": "volume", "Source": "data", "Target": "/data"}), id="a mount of the node's own"),
        pytest.param(body(Binds=["data:/data"]), id="a bind"),
        pytest.param(body() | {"Volumes": {"/data": {}}}, id="an anonymous one"),
        pytest.param(
            body(shared(), {"Type": "volume", "Source": "cache", "Target": "/cache"}), id="beside a shared one"
        ),
    ],
)
def test_a_node_local_volume_pins_its_container(pinned: dict[str, Any]) -> None:
    assert not FLEET.admit(pinned).movable


@pytest.mark.parametrize(
    "mount",
    [
        pytest.param(shared(ReadOnly=True), id="who only reads"),
        pytest.param(shared(driver={"Options": {"writers": "many"}}), id="who gives the rule up"),
    ],
)
def test_who_is_not_the_one_writer_claims_nothing(mount: dict[str, Any]) -> None:
    assert FLEET.admit(body(mount)).writes == ()


def test_a_shared_volume_is_the_tenants_own() -> None:
    request = FLEET.admit(body(shared()))
    assert json.loads(request.body)["HostConfig"]["Mounts"][0]["Source"] == "acme.data"


@pytest.mark.parametrize(
    ("mount", "field"),
    [
        (shared(Type="tmpfs", Source=""), "HostConfig.Mounts.0.VolumeOptions"),
        (shared(Source=""), "HostConfig.Mounts.0.Source"),
        (shared(Source="x" * 101), "HostConfig.Mounts.0.Source"),
        (shared(Source="../other"), "HostConfig.Mounts.0.Source"),
        (shared(driver={"Options": {"o": "addr=10.0.0.1"}}), "HostConfig.Mounts.0.VolumeOptions.DriverConfig.Options"),
        (shared(driver={"Name": "rexray"}), "HostConfig.Mounts.0.VolumeOptions.DriverConfig.Name"),
        (
            shared(driver={"Name": "local", "Options": {"writers": "one"}}),
            "HostConfig.Mounts.0.VolumeOptions.DriverConfig.Options",
        ),
    ],
)
def test_what_makes_no_sense_or_names_a_server_is_refused(mount: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        FLEET.admit(body(mount))
    assert refusal.value.field.startswith(field)


def test_a_fleet_without_shared_volumes_says_so() -> None:
    with pytest.raises(InvalidInput, match="has no shared volumes"):
        Admission("fleet", 2**26).admit(body(shared()))
