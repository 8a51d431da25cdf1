"""A slot's volume gets a file system once, when there is nothing on it; what can't be read is not taken for empty."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

USER_DATA = Path(__file__).parents[2] / "infra/user_data.sh"
SIZE = 2 << 20


def format_once(device: Path) -> subprocess.CompletedProcess[str]:
    """The function of the user data; mkfs.ext4 only says that it was called."""
    text = USER_DATA.read_text()
    function = text[text.index("format_once() {") : text.index("open_slot() {")]
    script = f'set -Eeuo pipefail\nmkfs.ext4() {{ echo formatted; }}\n{function}\nformat_once "$1"\n'
    return subprocess.run(
        ["bash", "-c", script, "bash", str(device)], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_new_volume_is_formatted(tmp_path: Path) -> None:
    device = tmp_path / "volume"
    device.write_bytes(b"\0" * SIZE)
    assert format_once(device).stdout == "formatted\n"


@pytest.mark.parametrize("at", [0, 1080, (1 << 20) - 1])
def test_one_with_anything_on_it_is_left_alone(tmp_path: Path, at: int) -> None:
    device = tmp_path / "volume"
    device.write_bytes(b"\0" * at + b"\x53" + b"\0" * (SIZE - at - 1))
    done = format_once(device)
    assert (done.returncode, done.stdout) == (0, "")


def test_one_that_can_not_be_read_is_left_alone_and_stops_the_boot(tmp_path: Path) -> None:
    for unreadable in (tmp_path / "none", tmp_path):
        done = format_once(unreadable)
        assert done.returncode != 0
        assert "formatted" not in done.stdout
