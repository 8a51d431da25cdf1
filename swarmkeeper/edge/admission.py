"""Which of a body's options need leave, and which pools give it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from swarmkeeper.edge.create_body import CreateBody
from swarmkeeper.edge.rules import CONTAINER_MODE, HOST_MODE
from swarmkeeper.edge.settings_admission import AdmissionSettings
from swarmkeeper.errors import InvalidInput

VOLUME_BIND = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*:/[^:]*(:(ro|rw|nocopy|z|Z)(,(ro|rw|nocopy|z|Z))*)?")
HOST_BIND = re.compile(r"(/[^:]*):/[^:]*(:(ro|rw))?")
VOLUME_SOURCE = re.compile(r"([a-zA-Z0-9][a-zA-Z0-9_.-]*)?")


@dataclass(frozen=True, slots=True)
class Demand:
    """An option that needs leave: where it stands, what it asks for, and whether a pool gives it."""

    field: str
    what: str
    allowed: Callable[[AdmissionSettings], bool]


def admitting_pools(body: CreateBody, pools: Mapping[str, AdmissionSettings]) -> frozenset[str]:
    """The pools that allow all that the body asks for; all pools when it asks for nothing that needs leave.

    Raises InvalidInput that names the first option which no pool, or none of those that allow the others, allows.
    """
    admitting = dict(pools)
    for demand in demands(body):
        admitting = {name: policy for name, policy in admitting.items() if demand.allowed(policy)}
        if not admitting:
            raise InvalidInput(demand.field, f"{demand.what} is not allowed by the fleet's admission settings")
    return frozenset(admitting)


def demands(body: CreateBody) -> Iterator[Demand]:
    """All options of the body that need leave. Raises InvalidInput for malformed ones."""
    host = body.HostConfig
    if host.Privileged:
        yield Demand("HostConfig.Privileged", "privileged mode", lambda policy: policy.privileged)
    if host.NetworkMode == HOST_MODE:
        yield Demand("HostConfig.NetworkMode", "the host's network", lambda policy: policy.host_network)
    for capability in host.CapAdd:
        yield _capability(capability)
    for position, device in enumerate(host.Devices):
        yield _device(f"HostConfig.Devices.{position}.PathOnHost", device.PathOnHost)
    yield from _ports(body)
    yield from _binds(body)
    yield from _mounts(body)


def _capability(name: str) -> Demand:
    plain = name.upper().removeprefix("CAP_")
    return Demand("HostConfig.CapAdd", f"capability {plain}", lambda policy: plain in policy.capabilities)


def _device(field: str, path: str) -> Demand:
    return Demand(field, f"device {path}", lambda policy: path in policy.devices)


def _ports(body: CreateBody) -> Iterator[Demand]:
    mode = body.HostConfig.NetworkMode
    if body.HostConfig.PortBindings and (mode == HOST_MODE or mode.startswith(CONTAINER_MODE)):
        raise InvalidInput("HostConfig.PortBindings", f"ports can't be published in network mode {mode}")
    for container_port, bindings in body.HostConfig.PortBindings.items():
        for binding in bindings:
            yield _port(f"HostConfig.PortBindings.{container_port}", int(binding.HostPort or 0))


def _port(field: str, port: int) -> Demand:
    what = f"port {port} of the host" if port else "a port of the host"
    return Demand(field, what, lambda policy: policy.allows_port(port))


def _binds(body: CreateBody) -> Iterator[Demand]:
    for bind in body.HostConfig.Binds:
        if VOLUME_BIND.fullmatch(bind):
            continue
        if not (host_path := HOST_BIND.fullmatch(bind)):
            raise InvalidInput("HostConfig.Binds", f"{bind!r} is neither VOLUME:/PATH nor /HOST/PATH:/PATH")
        yield _host_path("HostConfig.Binds", host_path[1])


def _mounts(body: CreateBody) -> Iterator[Demand]:
    for position, mount in enumerate(body.HostConfig.Mounts):
        field = f"HostConfig.Mounts.{position}"
        if mount.Type == "bind":
            yield _host_path(f"{field}.Type", mount.Source)
        elif not VOLUME_SOURCE.fullmatch(mount.Source) or (mount.Source and mount.Type == "tmpfs"):
            raise InvalidInput(f"{field}.Source", "is not a volume's name")


def _host_path(field: str, path: str) -> Demand:
    return Demand(field, f"host path {path!r}", lambda policy: policy.allows_mount(path))
