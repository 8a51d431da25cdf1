"""What a container's own engine has to tell of the request that made it.

The label `swarmkeeper.record` holds the request as canonical JSON, compressed when it is long, without its environment:
labels are read by more than those who may inspect a container (agents make metrics of them), so the environment is
taken from where the engine keeps it anyway. The digest in `swarmkeeper.request` then proves that nothing is amiss.

An engine takes labels of any length; what a request may be at most (256 KiB of body) keeps this one bounded.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from swarmkeeper.adapters.engine.references import CONTAINER_MODE, LABEL_TENANT
from swarmkeeper.adapters.request_json import request_from, request_text
from swarmkeeper.domain.model import ContainerName, HostPort, Lifetime, Request, Resources, Rules
from swarmkeeper.edge.requests import GPU
from swarmkeeper.edge.rules import HOST_MODE, lifetime_of
from swarmkeeper.errors import InvalidInput

LABEL_RECORD = "swarmkeeper.record"
COMPRESSED = "zlib:"
COMPRESSED_FROM = 1024
"""Shorter ones stay readable, and would gain little."""
LONGEST = 4 * 2**20
"""More than any request's JSON: a label that swells beyond it is none of ours."""
ENVIRONMENT = "Env"
KEPT_OF_CONFIG = (
    ENVIRONMENT, "Cmd", "Entrypoint", "User", "WorkingDir", "Tty", "OpenStdin", "StopSignal", "StopTimeout",
    "ExposedPorts", "Volumes", "Healthcheck",
)  # fmt: skip
KEPT_OF_HOST = (
    "PidsLimit", "ShmSize", "ReadonlyRootfs", "Init", "Binds", "Mounts", "Tmpfs", "VolumesFrom", "CapAdd", "CapDrop",
    "Devices", "DeviceRequests", "PortBindings", "SecurityOpt", "RestartPolicy", "MemorySwap", "Privileged",
)  # fmt: skip


class Unreadable(Exception):
    """The label is missing, or says nothing that can be relied on."""


def record_label(request: Request, body: Mapping[str, object]) -> str:
    """The request for the label; `body` is its own body, parsed."""
    environment = body.get(ENVIRONMENT)
    kept = {name: value for name, value in body.items() if name != ENVIRONMENT}
    record = {
        "request": json.loads(request_text(replace(request, body=""))),
        "body": kept,
        "environment": len(environment) if isinstance(environment, list) else None,
    }
    text = _canonical(record)
    if len(text) < COMPRESSED_FROM:
        return text
    return COMPRESSED + base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def request_in(labels: Mapping[str, str], environment: list[str]) -> Request:
    """The request that `record_label` wrote; whether it is the right one, its digest tells. Raises Unreadable."""
    if LABEL_RECORD not in labels:
        raise Unreadable("it has no record of its request")
    try:
        record = json.loads(_expanded(labels[LABEL_RECORD]))
        body, count = dict(record["body"]), record["environment"]
        if count is not None:
            body[ENVIRONMENT] = environment[:count]  # the engine puts the image's own behind
        return replace(request_from(json.dumps(record["request"])), body=_canonical(body))
    except (KeyError, TypeError, ValueError, zlib.error, binascii.Error) as error:
        raise Unreadable("the record of its request can't be read") from error


def request_seen(found: Mapping[str, Any], labels: Mapping[str, str], name: str) -> Request:
    """A request that would make such a container, from what the engine tells of it.

    What placement was asked for is not among it, so that it is never movable.
    """
    config, host = found["Config"], found["HostConfig"]
    mode = str(host.get("NetworkMode") or "")
    of_its_own = mode == HOST_MODE or mode.startswith(CONTAINER_MODE)
    return Request(
        name=ContainerName(name),
        image=str(config["Image"]),
        reservation=_reserved(host),
        rules=Rules(
            ports=_ports(host),
            exposed=tuple(sorted(config.get("ExposedPorts") or ())),
            network_mode=mode if of_its_own else "bridge",
            volumes_from=tuple(host.get("VolumesFrom") or ()),
        ),
        labels=dict(labels),
        network="" if of_its_own else mode,
        tenant=labels.get(LABEL_TENANT, ""),
        lifetime=_lifetime(labels),
        body=_canonical(_body(config, host, labels, name, keeps_mode=of_its_own)),
    )


def started_at(found: Mapping[str, Any]) -> float | None:
    """When the engine started it last, None if it never did or doesn't say."""
    return _time_of(found, "StartedAt")


def finished_at(found: Mapping[str, Any]) -> float | None:
    """When it ended last, None if it never did or the engine doesn't say."""
    return _time_of(found, "FinishedAt")


def _time_of(found: Mapping[str, Any], what: str) -> float | None:
    text = str(found["State"].get(what) or "")
    with suppress(ValueError):  # of year 1, which stands for never, there is no time since the epoch
        begun = datetime.fromisoformat(text).timestamp()
        return begun if begun > 0 else None
    return None


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _expanded(label: str) -> str:
    if not label.startswith(COMPRESSED):
        return label
    expanding = zlib.decompressobj()
    text = expanding.decompress(base64.b64decode(label.removeprefix(COMPRESSED), validate=True), LONGEST)
    if not expanding.eof:
        raise ValueError("it is cut off, or longer than any request")
    return text.decode()


def _reserved(host: Mapping[str, Any]) -> Resources:
    gpus = sum(int(each.get("Count") or 0) for each in host.get("DeviceRequests") or ())
    return Resources.of(int(host.get("NanoCpus") or 0), int(host.get("Memory") or 0), {GPU: max(gpus, 0)})


def _ports(host: Mapping[str, Any]) -> tuple[HostPort, ...]:
    return tuple(
        HostPort(int(binding["HostPort"]), port.partition("/")[2] or "tcp", binding.get("HostIp") or "")
        for port, bindings in sorted((host.get("PortBindings") or {}).items())
        for binding in bindings or ()
        if int(binding.get("HostPort") or 0)
    )


def _lifetime(labels: Mapping[str, str]) -> Lifetime:
    try:
        return lifetime_of(dict(labels))
    except InvalidInput:
        return Lifetime()


def _body(
    config: Mapping[str, Any], host: Mapping[str, Any], labels: Mapping[str, str], name: str, *, keeps_mode: bool
) -> dict[str, Any]:
    body = {key: config[key] for key in KEPT_OF_CONFIG if config.get(key)}
    if config.get("Hostname") == name:
        body["Hostname"] = name
    kept = {key: host[key] for key in KEPT_OF_HOST if host.get(key)}
    mode = {"NetworkMode": host["NetworkMode"]} if keeps_mode else {}
    return {**body, "Labels": dict(labels), "HostConfig": {**kept, **mode}}
