"""What the document node-join does with the states of managers on a slot's volume."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.documents import SCRIPTS

COPYING = "copying=$slot/$HOSTNAME.copying"
OLD, NEW, LATER = (f"i-00000000000000{letter * 3}" for letter in "abc")


@pytest.fixture
def slot(tmp_path: Path) -> Path:
    """A volume on which one manager has left its state."""
    slot = tmp_path / "slot"
    a_state(slot, OLD)
    (slot / "kept").write_text(f"{OLD}\n")
    return slot


def a_state(slot: Path, instance: str) -> None:
    (slot / instance / "raft/wal-v3-encrypted").mkdir(parents=True)
    (slot / instance / "raft/wal-v3-encrypted/0-0.wal").write_text(f"log of {instance}")
    (slot / instance / "docker-state.json").write_text("{}")


def run(slot: Path, instance: str, function: str) -> subprocess.CompletedProcess[str]:
    """The function of the document, on the machine of that name; systemctl only says that it was called."""
    join = (SCRIPTS / "node-join.sh").read_text()
    parts = [
        join[join.index("replace() {") : join.index("# The braces are split")],
        join[join.index("take_kept_state() {") : join.index("fetch_projects() {")],
    ]
    (slot / instance).mkdir(exist_ok=True)
    text = "\n".join(
        ["set -euo pipefail", "systemctl() { echo $*; }", f"slot={slot} HOSTNAME={instance}", COPYING, *parts, function]
    )
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=60, check=False)


def test_a_copy_that_is_cut_off_is_known_until_it_is_whole(slot: Path) -> None:
    marker = slot / f"{NEW}.copying"
    assert run(slot, NEW, "cp() { return 1; }; take_kept_state").returncode != 0
    assert marker.exists()
    assert run(slot, NEW, "take_kept_state").returncode == 0
    assert not marker.exists()


def states(slot: Path) -> set[str]:
    return {each.name for each in slot.glob("i-*")}


def test_recovery_begins_with_a_copy_and_leaves_what_was_kept(slot: Path) -> None:
    done = run(slot, NEW, "take_kept_state")
    assert (done.returncode, done.stdout) == (0, "stop docker\n")
    for instance in (OLD, NEW):
        assert (slot / instance / "raft/wal-v3-encrypted/0-0.wal").read_text() == f"log of {OLD}"


def test_a_copy_that_was_cut_off_is_made_anew(slot: Path) -> None:
    a_state(slot, NEW)
    (slot / NEW / "half").touch()
    assert run(slot, NEW, "take_kept_state").returncode == 0
    assert not (slot / NEW / "half").exists()
    assert (slot / NEW / "raft/wal-v3-encrypted/0-0.wal").read_text() == f"log of {OLD}"


def test_a_manager_that_has_its_own_state_goes_on_with_that(slot: Path) -> None:
    done = run(slot, OLD, "take_kept_state")
    assert (done.returncode, done.stdout) == (0, "")
    assert (slot / OLD / "docker-state.json").exists()


@pytest.mark.parametrize("lacks", ["docker-state.json", "raft/wal-v3-encrypted/0-0.wal", "../kept"])
def test_what_is_no_managers_state_is_not_recovered_from_and_nothing_is_touched(slot: Path, lacks: str) -> None:
    a_state(slot, NEW)
    (slot / OLD / lacks).unlink()
    done = run(slot, NEW, "take_kept_state")
    assert done.returncode != 0
    assert "stop docker" not in done.stdout
    assert "no manager" in done.stderr
    assert (slot / NEW / "docker-state.json").exists()


def test_once_it_is_a_member_its_state_is_the_kept_one_and_one_of_those_before_stays(slot: Path) -> None:
    a_state(slot, NEW)
    assert run(slot, NEW, "keep_state").returncode == 0
    assert (slot / "kept").read_text() == f"{NEW}\n"
    assert states(slot) == {OLD, NEW}
    a_state(slot, LATER)
    assert run(slot, LATER, "keep_state").returncode == 0
    assert states(slot) == {NEW, LATER}


def test_a_join_that_is_repeated_keeps_the_state_before(slot: Path) -> None:
    for _ in range(2):
        assert run(slot, NEW, "keep_state").returncode == 0
    assert states(slot) == {OLD, NEW}
