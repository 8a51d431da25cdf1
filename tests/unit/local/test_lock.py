from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from local.lock import DAEMON, AlreadyRunning, MachineLock, holder
from local.starter import LocalCloudError, Places, down

HOLD = """
import sys
from pathlib import Path
from local.lock import MachineLock
MachineLock.acquire(Path(sys.argv[1]), Path("/state"), sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


def hold(path: Path, what: str = DAEMON) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_lock_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path) as process:
        found = holder(path)
        assert found is not None
        assert (found.pid, found.state_dir, found.alive) == (process.pid, Path("/state"), True)
        with pytest.raises(AlreadyRunning, match=rf"process {process.pid}, state in /state.*local down"):
            MachineLock.acquire(path, tmp_path)
        process.kill()


def test_a_killed_holder_frees_the_lock_and_is_still_named(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path) as process:
        process.kill()
    found = holder(path)
    assert found is not None
    assert (found.pid, found.alive) == (process.pid, False)
    MachineLock.acquire(path, tmp_path).release()


def test_what_is_no_local_cloud_is_to_be_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path, "a test run") as process:
        with pytest.raises(AlreadyRunning, match=r"a test run is running.*wait for its end"):
            MachineLock.acquire(path, tmp_path)
        with pytest.raises(LocalCloudError, match="wait for its end"):
            down(print, Places(path, tmp_path / "state"))
        assert process.poll() is None
        process.kill()


def test_release_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = MachineLock.acquire(path, tmp_path)
    held.release()
    held.release()
    assert not path.exists()
    assert holder(path) is None


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        MachineLock.acquire(path, tmp_path)
