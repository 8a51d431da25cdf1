"""Shared volumes as volumes of the engine's own driver, and the folders that they are.

The driver `local` mounts what its options say: an NFS export, or a folder of the machine. It makes no folder on the
other side, so one is made by a short-lived container that has the whole export mounted; no tenant ever has that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from docker import APIClient
from docker.errors import APIError, ImageNotFound, NotFound

from swarmkeeper.errors import Declined

SHARED_DRIVER = "shared"
PREFIX = "shared_"
"""No volume of a tenant's own begins so on the engine: tenants' names have no underscore."""
ROOT = "shared-root"
ROOT_FOLDER = "/shared"
HELPER = "swarmkeeper-shared-"
MAKE_FOLDER = 'mkdir -p "$1" && chmod 0777 "$1"'
"""Whatever user a container runs as may write: no other tenant can reach the folder."""


@dataclass(frozen=True, slots=True)
class SharedStorage:
    """Where shared volumes are kept: `server` and `options` for NFS, both "" for a folder that the nodes share.

    `image` is one that every node holds and that has a shell.
    """

    path: str
    image: str
    server: str = ""
    options: str = ""

    def driver_options(self, folder: str = "") -> dict[str, str]:
        """What Docker's local driver is told to mount: the whole, or one folder of it."""
        place = "/".join([self.path.rstrip("/"), *filter(None, [folder])]) or "/"
        if not self.server:
            return {"type": "none", "o": "bind", "device": place}
        # The engine resolves the name itself: the kernel would not.
        return {"type": "nfs", "o": f"addr={self.server},{self.options}", "device": f":{place}"}

    def volume(self, source: str) -> dict[str, object]:
        """The mount's part that names and makes the volume; `source` is `tenant.volume`."""
        return _volume(f"{PREFIX}{source}", self.driver_options(_folder(source)))

    @property
    def root(self) -> dict[str, object]:
        return _volume(ROOT, self.driver_options())


def with_shared_volumes(body: dict[str, object], storage: SharedStorage | None) -> dict[str, object]:
    """The body with each mount of the driver `shared` as what the engine can mount.

    Raises Declined when the fleet has no shared volumes any more.
    """
    host = body.get("HostConfig")
    if not isinstance(host, dict) or not any(True for _ in _shared(body)):
        return body
    if storage is None:
        raise Declined("the fleet's settings no longer have shared volumes")
    mounts = [
        {**mount, **storage.volume(str(mount["Source"]))} if _is_shared(mount) else mount for mount in host["Mounts"]
    ]
    return body | {"HostConfig": {**host, "Mounts": mounts}}


def shared_sources(body: Mapping[str, object]) -> tuple[str, ...]:
    """The shared volumes that the body mounts, `tenant.volume`, each once."""
    return tuple(sorted({str(mount["Source"]) for mount in _shared(body)}))


def make_folders(engine: APIClient, sources: tuple[str, ...], storage: SharedStorage) -> None:
    """Make the folders of volumes that this engine has never had; a volume that it knows has one.

    Raises Declined when the export can't be mounted or written: nothing of the container is made then.
    """
    for source in sources:
        if not _is_known(engine, f"{PREFIX}{source}"):
            _make_folder(engine, source, storage)


def _make_folder(engine: APIClient, source: str, storage: SharedStorage) -> None:
    name = HELPER + hashlib.sha256(source.encode()).hexdigest()[:16]
    made = _helper(engine, name, source, storage)
    try:
        engine.start(made)
        status = int(engine.wait(made)["StatusCode"])
        if status != 0:
            said = engine.logs(made, tail=3).decode(errors="replace").strip()
            raise Declined(f"the folder of the shared volume {source} can't be made: {said or status}")
    finally:
        with suppress(NotFound):
            engine.remove_container(made, force=True)


def _helper(engine: APIClient, name: str, source: str, storage: SharedStorage) -> str:
    """The container that makes the folder. What an earlier call has left is removed first."""
    body = {
        "Image": storage.image,
        "Entrypoint": ["/bin/sh", "-c", MAKE_FOLDER, "sh"],
        "Cmd": [f"{ROOT_FOLDER}/{_folder(source)}"],
        "User": "0:0",
        "Labels": {"swarmkeeper.helper": "shared-volume"},
        "HostConfig": {
            "Mounts": [{"Type": "volume", "Target": ROOT_FOLDER, **storage.root}],
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Memory": 64 * 2**20,
        },
    }
    with suppress(NotFound):
        if engine.inspect_container(name)["State"]["Running"]:
            raise Declined(f"another call is making the folder of the shared volume {source}")
        engine.remove_container(name, force=True)
    try:
        made = engine.create_container_from_config(body, name=name)  # type: ignore[no-untyped-call]  # its stub has no types
    except ImageNotFound as error:  # not to be taken for the container's own image
        raise Declined(f"the node lacks {storage.image}, which makes the folders of shared volumes") from error
    except APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:
            raise
        raise Declined(f"another call is making the folder of the shared volume {source}") from error
    return str(made["Id"])


def _is_known(engine: APIClient, volume: str) -> bool:
    try:
        engine.inspect_volume(volume)
    except NotFound:
        return False
    return True


def _folder(source: str) -> str:
    """`tenant.volume` as a folder: tenants' names have no dot."""
    tenant, _, volume = source.partition(".")
    return f"{tenant}/{volume}"


def _volume(name: str, options: Mapping[str, str]) -> dict[str, object]:
    driver = {"Name": "local", "Options": dict(options)}
    return {"Source": name, "VolumeOptions": {"NoCopy": True, "DriverConfig": driver}}


def _shared(body: Mapping[str, object]) -> Iterator[Mapping[str, Any]]:
    host = body.get("HostConfig")
    mounts = host.get("Mounts") if isinstance(host, dict) else None
    return (mount for mount in mounts or () if isinstance(mount, dict) and _is_shared(mount))


def _is_shared(mount: Mapping[str, Any]) -> bool:
    driver = (mount.get("VolumeOptions") or {}).get("DriverConfig") or {}
    return bool(driver.get("Name") == SHARED_DRIVER)
