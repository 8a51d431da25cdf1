"""A request is read back from the container that it made, to the last field, or it is said why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from swarmkeeper.adapters.engine.create_body import create_body
from swarmkeeper.adapters.engine.engines import _recalled
from swarmkeeper.adapters.engine.recall import COMPRESSED, LABEL_RECORD
from swarmkeeper.domain.model import HostPort, Lifetime, Request, Resources
from swarmkeeper.edge.requests import Admission
from swarmkeeper.edge.settings_admission import AdmissionSettings
from swarmkeeper.edge.tenants import EVERYONE
from swarmkeeper.ports import EngineRecord

ADMISSION = Admission("fleet", 2**27, {"": AdmissionSettings(host_ports=("8000-8099",))})
OF_THE_IMAGE = ["PATH=/usr/bin", "LANG=C"]


def a_request(**body: object) -> Request:
    return ADMISSION.admit({"Name": "web-1", "Image": "nginx", **body}, scope=EVERYONE, request_id="key-1")


def inspected(request: Request, **labels: str) -> dict[str, Any]:
    """What an engine shows of the container, its image's variables and labels included."""
    body: dict[str, Any] = create_body(request, fleet="demo")
    host = body.pop("HostConfig")
    config = {
        **body,
        "Env": [*(body.get("Env") or ()), *OF_THE_IMAGE],
        "Labels": {"maintainer": "somebody", **body["Labels"], **labels},
    }
    state = {"Status": "running", "StartedAt": "2026-01-02T03:04:05.123456789Z"}
    return {"Id": "e" * 64, "Config": config, "HostConfig": host, "State": state}


def without_record(request: Request) -> dict[str, Any]:
    found = inspected(request)
    del found["Config"]["Labels"][LABEL_RECORD]
    return found


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(a_request(), id="plain"),
        pytest.param(a_request(Env=["A=1", "SECRET=x", "constraint:zone==a"], Cmd=["sleep", "1"]), id="environment"),
        pytest.param(a_request(Env=["PATH=/mine"], HostConfig={"NanoCpus": 10**9}), id="a variable of the image"),
        pytest.param(a_request(Labels={"swarmkeeper.ttl": "1h", "note": "ü" * 3000}), id="long"),
        pytest.param(a_request(HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}), id="a port"),
        pytest.param(
            a_request(HostConfig={"DeviceRequests": [{"Count": 2, "Capabilities": [["gpu"]]}]}), id="generic resources"
        ),
    ],
)
def test_a_request_is_read_back_to_the_last_field(request_: Request) -> None:
    recalled = _recalled(inspected(request_))
    assert recalled == EngineRecord(request_, 1767323045.123456, image=request_.image)


def test_the_environment_stands_in_no_label() -> None:
    long = [f"SECRET_{number}=hunter2" for number in range(200)]
    for environment in (long[:1], long):
        labels = inspected(a_request(Env=environment))["Config"]["Labels"]
        assert "SECRET" not in json.dumps(labels)
        assert not labels[LABEL_RECORD].startswith(COMPRESSED)


def test_a_long_record_is_compressed() -> None:
    found = inspected(a_request(Cmd=["echo", *["the same again"] * 900]))
    label = found["Config"]["Labels"][LABEL_RECORD]
    assert label.startswith(COMPRESSED)
    assert len(label) < 1024


@pytest.mark.parametrize(
    "label",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="no object"),
        pytest.param('{"body":{},"environment":null,"request":{"name":"web-1","new":1}}', id="unknown fields"),
        pytest.param("zlib:????", id="no base64"),
        pytest.param("zlib:AAAA", id="not compressed"),
    ],
)
def test_a_record_that_cannot_be_read_leaves_what_the_engine_tells(label: str) -> None:
    recalled = _recalled(inspected(a_request(), **{LABEL_RECORD: label}))
    assert recalled.doubt == "the record of its request can't be read"
    assert recalled.request.name == "web-1"


def test_the_record_of_another_request_proves_nothing() -> None:
    forged = inspected(a_request(Cmd=["sleep", "9"]))["Config"]["Labels"][LABEL_RECORD]
    recalled = _recalled(inspected(a_request(Cmd=["sleep", "1"]), **{LABEL_RECORD: forged}))
    assert recalled.doubt == "the record of its request is not what made it"
    assert json.loads(recalled.request.body)["Cmd"] == ["sleep", "1"]


def test_without_a_record_the_engine_tells_what_is_reserved_and_how_to_make_it_again() -> None:
    request = a_request(
        Env=["A=1", "constraint:zone==a"],
        Cmd=["sleep", "1"],
        Labels={"team": "blue", "swarmkeeper.tenant": "acme", "swarmkeeper.ttl": "1h", "swarmkeeper.movable": "true"},
        ExposedPorts={"80/tcp": {}},
        HostConfig={
            "NanoCpus": 10**9,
            "Binds": ["data:/data"],
            "PortBindings": {"80/tcp": [{"HostPort": "8080"}]},
            "DeviceRequests": [{"Count": 1, "Capabilities": [["gpu"]]}],
        },
    )
    recalled = _recalled(without_record(request))
    seen, body = recalled.request, json.loads(recalled.request.body)
    assert recalled.doubt == "it has no record of its request"
    assert (seen.name, seen.image, seen.network, seen.tenant) == ("web-1", "nginx", "fleet", "acme")
    assert seen.reservation == Resources.of(10**9, 2**27, {"gpu": 1})
    assert seen.rules.ports == (HostPort(8080),)
    assert seen.rules.exposed == ("80/tcp",)
    assert seen.lifetime == Lifetime(running_s=3600.0)
    assert not seen.movable
    assert seen.labels["team"] == "blue"
    assert not any(label in seen.labels for label in ("swarmkeeper.fleet", "swarmkeeper.request", LABEL_RECORD))
    assert body["Env"] == ["A=1", *OF_THE_IMAGE]
    assert body["HostConfig"]["Binds"] == ["acme.data:/data"]
    assert body["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]
    again = create_body(seen, fleet="demo")
    assert again["HostConfig"] == without_record(request)["HostConfig"]


def test_a_mode_of_its_own_is_kept() -> None:
    found = without_record(a_request())
    found["HostConfig"]["NetworkMode"] = "container:" + "f" * 64
    seen = _recalled(found).request
    assert (seen.network, seen.rules.network_mode) == ("", "container:" + "f" * 64)
    assert json.loads(seen.body)["HostConfig"]["NetworkMode"] == "container:" + "f" * 64


def test_what_never_started_has_no_start() -> None:
    found = inspected(a_request())
    found["State"]["StartedAt"] = "0001-01-01T00:00:00Z"
    assert _recalled(found).started_at is None
