"""Requests for Windows nodes: how they are told from others, and what there isn't on Windows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from swarmkeeper.edge.create_body import PIDS_LIMIT, CreateBody, HostConfigBody
from swarmkeeper.edge.settings_admission import AdmissionSettings
from swarmkeeper.errors import InvalidInput

WISH = "ostype==windows"
"""The constraint that asks for a Windows node; without it a request is taken for one of Linux."""
LINUX_ONLY = frozenset({"SecurityOpt", "PidsLimit", "Init", "MemorySwap"})
"""What hardens every other container and is refused by an engine on Windows."""


def pools_for(
    constraints: tuple[str, ...], pools: Mapping[str, AdmissionSettings], windows: frozenset[str]
) -> Mapping[str, AdmissionSettings]:
    """The pools whose nodes run what the request's constraints say: an image doesn't tell."""
    wanted = wants_windows(constraints)
    return {name: policy for name, policy in pools.items() if (name in windows) is wanted}


def wants_windows(constraints: tuple[str, ...]) -> bool:
    return WISH in constraints


def check_windows(body: CreateBody) -> None:
    """Raises InvalidInput that names the first field of what there isn't on Windows."""
    for place, what in _lacking(body):
        raise InvalidInput(place, f"{what} on Windows nodes")


def windows_body(text: str) -> str:
    """The engine's body without what only Linux has."""
    body = json.loads(text)
    body["HostConfig"] = {name: value for name, value in body["HostConfig"].items() if name not in LINUX_ONLY}
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def _lacking(body: CreateBody) -> Iterator[tuple[str, str]]:
    if body.Volumes:
        yield "Volumes", "volumes are not offered"
    yield from ((f"HostConfig.{name}", what) for name, what in _lacking_of_host(body.HostConfig))


def _lacking_of_host(host: HostConfigBody) -> Iterator[tuple[str, str]]:
    plain = HostConfigBody()
    volumes = "volumes are not offered"
    for name, what in (
        ("Binds", volumes),
        ("Mounts", volumes),
        ("VolumesFrom", volumes),
        ("Tmpfs", "there is no tmpfs"),
        ("CapAdd", "there are no capabilities"),
        ("CapDrop", "there are no capabilities"),
        ("Devices", "there are no devices of Linux"),
        ("DeviceRequests", "GPUs are not offered"),
        ("Privileged", "there is no privileged mode"),
        ("ReadonlyRootfs", "the root file system can't be read-only"),
        ("ShmSize", "there is no /dev/shm"),
        ("SecurityOpt", "there is no no-new-privileges"),
        ("Links", "links are not offered"),
        ("NetworkMode", "only the fleet's network is offered"),
    ):
        if getattr(host, name) != getattr(plain, name) and not (
            name == "NetworkMode" and host.NetworkMode == "default"
        ):
            yield name, what
    if host.PidsLimit != PIDS_LIMIT:
        yield "PidsLimit", "processes can't be limited"
