"""Requests for Windows nodes, and pools of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swarmkeeper.domain.model import Request
from swarmkeeper.edge.requests import Admission
from swarmkeeper.edge.settings import SettingsError, load_settings
from swarmkeeper.edge.settings_admission import AdmissionSettings
from swarmkeeper.errors import InvalidInput

POOLS = {"linux": AdmissionSettings(), "desktops": AdmissionSettings()}
ADMISSION = Admission("fleet", 2**28, POOLS, windows=frozenset({"desktops"}))


def admit(*env: str, admission: Admission = ADMISSION, **body: Any) -> Request:
    return admission.admit({"Name": "web-1", "Image": "web:1", "Env": list(env), **body})


def test_a_request_that_says_nothing_is_for_linux() -> None:
    assert admit().rules.constraints == ("pool==linux",)


def test_a_request_that_asks_for_windows_goes_there() -> None:
    assert admit("constraint:ostype==windows").rules.constraints == ("ostype==windows", "pool==desktops")


def test_a_fleet_without_windows_pools_keeps_requests_as_they_are() -> None:
    plain = Admission("fleet", 2**28, {"linux": AdmissionSettings()})
    assert admit(admission=plain).rules.constraints == ()
    assert "SecurityOpt" in json.loads(admit(admission=plain).body)["HostConfig"]


def test_what_hardens_linux_only_is_left_out_and_the_memory_limit_stays() -> None:
    host = json.loads(admit("constraint:ostype==windows").body)["HostConfig"]
    assert host == {"Memory": 2**28, "RestartPolicy": {"Name": "no"}}


@pytest.mark.parametrize(
    ("host", "field"),
    [
        ({"Tmpfs": {"/cache": ""}}, "Tmpfs"),
        ({"Binds": ["data:/data"]}, "Binds"),
        ({"Mounts": [{"Type": "volume", "Target": "/data", "Source": "data"}]}, "Mounts"),
        ({"CapDrop": ["ALL"]}, "CapDrop"),
        ({"ReadonlyRootfs": True}, "ReadonlyRootfs"),
        ({"ShmSize": 2**20}, "ShmSize"),
        ({"SecurityOpt": ["no-new-privileges"]}, "SecurityOpt"),
        ({"Links": ["db"]}, "Links"),
        ({"NetworkMode": "container:db"}, "NetworkMode"),
        ({"PidsLimit": 10}, "PidsLimit"),
    ],
)
def test_what_there_is_not_on_windows_is_refused_by_its_field(host: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match="Windows") as caught:
        admit("constraint:ostype==windows", HostConfig=host)
    assert caught.value.field == f"HostConfig.{field}"


def test_volumes_of_the_image_s_own_are_refused_too() -> None:
    with pytest.raises(InvalidInput, match="volumes"):
        admit("constraint:ostype==windows", Volumes={"/data": {}})


def test_a_fleet_of_windows_workers_only_takes_nothing_else() -> None:
    only = Admission("fleet", 2**28, {"desktops": AdmissionSettings()}, windows=frozenset({"desktops"}))
    with pytest.raises(InvalidInput, match="ostype==windows"):
        admit(admission=only)


PLAIN = """\
fleet: demo
network:
  {vpc_cidr: 10.42.0.0/16, overlay_pool: 10.96.0.0/12, fleet_subnet: 10.112.0.0/20, isolation: fleet, domain: demo.test}
pools:
  managers: {role: manager, instance_types: [t3.small], min: 1, max: 1%s}
  desktops: {role: worker, os: windows, instance_types: [%s], min: 0, max: 2%s}
"""
IMAGE = ", node_image: ami-0123456789abcdef0"


def loaded(folder: Path, *, managers: str = "", kind: str = "m6i.large", more: str = IMAGE) -> frozenset[str]:
    path = folder / "swarmkeeper.yaml"
    path.write_text(PLAIN % (managers, kind, more), encoding="utf-8")
    return load_settings(path).windows_pools


def test_a_pool_of_windows_nodes_is_known_as_one(tmp_path: Path) -> None:
    assert loaded(tmp_path) == {"desktops"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"managers": ", os: windows" + IMAGE},
            ":5: pools.managers.os: windows: managers run on Linux",
            id="managers",
        ),
        pytest.param({"kind": "m7g.large"}, ":6: pools.desktops.instance_types: arm64", id="arm64"),
        pytest.param({"more": ""}, ":6: pools.desktops.node_image: is missing", id="no image"),
        pytest.param({"more": IMAGE + ", gpus: 1"}, ":6: pools.desktops.gpus: are not offered", id="GPUs"),
        pytest.param(
            {"more": IMAGE + ", admission: {privileged: true}"}, ":6: pools.desktops.admission: only", id="privileges"
        ),
    ],
)
def test_a_pool_that_can_not_be_is_refused(tmp_path: Path, changes: dict[str, str], expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, **changes)
    assert any(expected in line for line in caught.value.lines), caught.value.lines
