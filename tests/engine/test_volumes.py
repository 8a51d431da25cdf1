"""Volumes as machines on this host see them."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.machines import MachineError
from local.machines.volumes import BY_ID, PREFIX, Volumes, attached, remove, why_none

pytestmark = [pytest.mark.engine, pytest.mark.skipif(why_none() is not None, reason=str(why_none()))]

FIRST, SECOND, VOLUME = "i-00000000000000aaa", "i-00000000000000bbb", "vol-00000000000000ccc"
DEVICE = BY_ID / f"{PREFIX}{VOLUME.replace('-', '')}"
WRITTEN = b"kept" * 128
"""A sector."""


def test_a_volume_keeps_what_was_written_for_the_next_machine(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path)
    volumes.attach(FIRST, VOLUME, 1)
    with pytest.raises(MachineError, match=f"is attached to {FIRST}"):
        volumes.attach(SECOND, VOLUME, 1)
    DEVICE.write_bytes(WRITTEN)
    volumes.detach_from(FIRST)
    assert not DEVICE.exists()
    volumes.attach(SECOND, VOLUME, 1)
    with DEVICE.open("rb") as device:
        assert device.read(len(WRITTEN)) == WRITTEN
    volumes.detach_from(SECOND)


def test_what_a_killed_cloud_has_attached_is_taken_away(tmp_path: Path) -> None:
    Volumes(tmp_path).attach(FIRST, VOLUME, 1)
    assert len(attached(tmp_path)) == 1
    remove(tmp_path)
    assert attached(tmp_path) == ()
    assert not DEVICE.is_symlink()
    Volumes(tmp_path).attach(SECOND, VOLUME, 1)
    remove(tmp_path)
