"""Volumes that follow their containers: mounts whose driver is `shared`, and who alone may write them."""

from __future__ import annotations

from swarmkeeper.edge.create_body import SHARED_DRIVER, CreateBody, Mount
from swarmkeeper.errors import InvalidInput

NAME_MAX = 100


def is_shared(mount: Mount) -> bool:
    """Whether the mount is a volume that all nodes reach."""
    return mount.VolumeOptions is not None and mount.VolumeOptions.DriverConfig.Name == SHARED_DRIVER


def check_volumes(body: CreateBody, *, offered: bool) -> None:
    """Refuse mounts that make no sense, and shared ones where the fleet has none. Raises InvalidInput."""
    for position, mount in enumerate(body.HostConfig.Mounts):
        field = f"HostConfig.Mounts.{position}"
        if mount.VolumeOptions is None:
            continue
        if mount.Type != "volume":
            raise InvalidInput(f"{field}.VolumeOptions", f"a {mount.Type} is no volume")
        if not is_shared(mount):
            if mount.VolumeOptions.DriverConfig.Options:
                raise InvalidInput(f"{field}.VolumeOptions.DriverConfig.Options", "only shared volumes take any")
            continue
        if not offered:
            raise InvalidInput(f"{field}.VolumeOptions.DriverConfig.Name", "this fleet has no shared volumes")
        if not mount.Source or len(mount.Source) > NAME_MAX:
            raise InvalidInput(f"{field}.Source", f"a shared volume has a name of at most {NAME_MAX} characters")


def writes_of(body: CreateBody, tenant: str) -> tuple[str, ...]:
    """The shared volumes that this container alone may write, `tenant/volume`, each once, in order."""
    wanted = {
        f"{tenant}/{mount.Source}"
        for mount in body.HostConfig.Mounts
        if is_shared(mount) and not mount.ReadOnly and not _has_many_writers(mount)
    }
    return tuple(sorted(wanted))


def _has_many_writers(mount: Mount) -> bool:
    return mount.VolumeOptions is not None and mount.VolumeOptions.DriverConfig.has_many
