"""Whatever a caller sends is admitted or refused with a field, never an accident; what is admitted is contained."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from swarmkeeper.adapters.request_json import request_from, request_text
from swarmkeeper.domain.model import Request
from swarmkeeper.edge.create_body import CreateBody, EndpointSettings, HostConfigBody, Mount
from swarmkeeper.edge.problems import problem_of
from swarmkeeper.edge.requests import Admission
from swarmkeeper.edge.settings_admission import AdmissionSettings
from swarmkeeper.errors import InvalidInput

ADMISSION = Admission(
    "fleet", 2**27, {"open": AdmissionSettings(host_ports=("8000-8099",)), "closed": AdmissionSettings()}
)
WORDS = (
    "", "web-1", "fleet", "host", "container:db", "data:/data", "/:/host", "/run/docker.sock:/s:ro", "80/tcp", "8080",
    "constraint:disk==ssd", "affinity:container!=~/^web/", "whitelist:node==a|b", "reschedule:on-node-failure", "30m",
    "NET_ADMIN", "ALL", "\ud800", "\0", "a" * 300, "constraint:node==", "../..", "db:alias", "true", "-1", "gpu",
)  # fmt: skip
LABELS = (
    "com.docker.swarm.constraints", "com.docker.swarm.affinities", "swarmkeeper.tenant", "swarmkeeper.ttl",
    "swarmkeeper.movable", "swarmkeeper.request",
)  # fmt: skip
KEYS = tuple(name for model in (CreateBody, HostConfigBody, Mount, EndpointSettings) for name in model.model_fields)

words = st.sampled_from(WORDS) | st.text(max_size=12)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | words
keys = st.sampled_from((*KEYS, *LABELS, *WORDS)) | st.text(max_size=6)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=12
)
hosts = st.dictionaries(st.sampled_from(tuple(HostConfigBody.model_fields)), anything | st.lists(words), max_size=3)
bodies = st.fixed_dictionaries(
    {"Name": st.just("web-1") | words, "Image": st.just("nginx") | words},
    optional={
        "Env": st.lists(words, max_size=4),
        "Labels": st.dictionaries(st.sampled_from(LABELS), words, max_size=3),
        "HostConfig": hosts,
        "ExposedPorts": anything,
        "NetworkingConfig": anything,
        "Volumes": anything,
    },
)


def outcome(body: object) -> Request | InvalidInput:
    try:
        return ADMISSION.admit(body)
    except InvalidInput as refused:
        return refused


@settings(max_examples=400)
@given(anything | bodies)
def test_every_body_is_admitted_or_refused_with_a_field(body: Any) -> None:
    found = outcome(body)
    if isinstance(found, InvalidInput):
        assert found.field
        assert json.loads(problem_of(found).model_dump_json())["status"] == 400
    else:
        assert request_from(request_text(found)) == found


@settings(max_examples=400)
@given(bodies)
def test_what_is_admitted_keeps_its_walls(body: Any) -> None:
    found = outcome(body)
    if isinstance(found, InvalidInput):
        return
    host = json.loads(found.body)["HostConfig"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["MemorySwap"] == host["Memory"] == found.reservation.memory_bytes > 0
    assert not {"Privileged", "CapAdd", "Devices", "PidMode", "IpcMode"} & host.keys()
    assert all(bind.startswith(f"{found.tenant}.") for bind in host.get("Binds", []))
    assert all(each["Type"] != "bind" for each in host.get("Mounts", []))
    published = [binding for bindings in host.get("PortBindings", {}).values() for binding in bindings]
    assert not published or "pool==open" in found.rules.constraints
