"""Volumes that outlive machines: a file each, which a machine sees as a block device of the kernel's loop driver."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from pathlib import Path

from local.machines import MachineError
from local.machines.processes import SYSTEM_PATH, call

NEEDED = ("losetup", "mkfs.ext4")
LOOP_CONTROL = Path("/dev/loop-control")
BY_ID = Path("/dev/disk/by-id")
"""Where a machine finds a volume by its id, as on AWS; all machines share this host's /dev."""
PREFIX = "nvme-Amazon_Elastic_Block_Store_"
FOLDER = "volumes"


def why_none() -> str | None:
    """Why machines can have no volumes on this host; None where they can."""
    missing = [command for command in NEEDED if not shutil.which(command, path=SYSTEM_PATH)]
    if missing:
        return f"missing: {', '.join(missing)}"
    return None if LOOP_CONTROL.exists() else f"{LOOP_CONTROL} is missing"


class Volumes:
    """The volumes of one local cloud. Thread-safe."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / FOLDER
        self._attached: dict[str, tuple[str, str]] = {}
        """Volume id -> instance id, device."""
        self._lock = threading.Lock()

    def attach(self, instance_id: str, volume_id: str, gigabytes: int) -> None:
        """Give the machine the volume, which is made, empty, when it was never attached. Raises MachineError."""
        if reason := why_none():
            raise MachineError(f"{volume_id} can't be attached: {reason}")
        with self._lock:
            if volume_id in self._attached:
                raise MachineError(f"{volume_id} is attached to {self._attached[volume_id][0]}")
            file = self._folder / f"{volume_id}.img"
            if not file.exists():
                self._folder.mkdir(exist_ok=True)
                with file.open("wb") as made:
                    made.truncate(gigabytes << 30)  # takes no room until it is written to
            device = call(["losetup", "--find", "--show", str(file)]).strip()
            try:
                BY_ID.mkdir(parents=True, exist_ok=True)
                _link(volume_id).unlink(missing_ok=True)
                _link(volume_id).symlink_to(device)
            except OSError as error:
                _detach(device)
                raise MachineError(f"{volume_id} can't be attached: {error}") from error
            self._attached[volume_id] = (instance_id, device)

    def detach_from(self, instance_id: str) -> None:
        """Take its volumes from a machine that has ended."""
        with self._lock:
            for volume_id, (holder, device) in list(self._attached.items()):
                if holder == instance_id:
                    del self._attached[volume_id]
                    _detach(device)


def attached(state_dir: Path) -> tuple[str, ...]:
    """The devices by which machines have volumes of the folder, whoever gave them."""
    if shutil.which("losetup", path=SYSTEM_PATH) is None:
        return ()  # without it none was given
    folder = state_dir.resolve() / FOLDER
    listed = json.loads(call(["losetup", "--list", "--json", "--output", "NAME,BACK-FILE"]) or "{}")
    return tuple(
        str(each["name"])
        for each in listed.get("loopdevices", ())
        if Path(str(each["back-file"]).removesuffix(" (deleted)")).is_relative_to(folder)
    )


def remove(state_dir: Path) -> None:
    """Take every volume of the folder from whatever has it, also after the program that gave it was killed."""
    for device in attached(state_dir):
        _detach(device)


def _detach(device: str) -> None:
    for link in BY_ID.glob(f"{PREFIX}*"):
        if link.is_symlink() and str(link.readlink()) == device:
            link.unlink()
    call(["losetup", "--detach", device])
    for folder in (BY_ID, BY_ID.parent):
        with contextlib.suppress(OSError):  # others' links are in it
            folder.rmdir()


def _link(volume_id: str) -> Path:
    return BY_ID / f"{PREFIX}{volume_id.replace('-', '')}"
