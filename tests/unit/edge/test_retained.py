"""Slots: which pools may have one, and how many of them there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmkeeper.edge.settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).parents[3]
ONE_POOL = """  managers:
    role: manager
    instance_types: [t3.small]
    min: 1
    max: 1
"""
SLOT = "    retain_state: {zone: 1}\n"


def loaded(folder: Path, managers: str, workers: str = "") -> Settings:
    text = (ROOT / "swarmkeeper.demo.yaml").read_text()
    assert ONE_POOL in text
    file = folder / "swarmkeeper.yaml"
    file.write_text(
        text.replace(ONE_POOL, managers).replace("    drain_limit: 30m\n", f"    drain_limit: 30m\n{workers}")
    )
    return load_settings(file)


def slots(count: int, more: str = SLOT) -> str:
    return "".join(ONE_POOL.replace("managers:", f"manager-{number}:") + more for number in range(count))


@pytest.mark.parametrize("count", [1, 3, 5])
def test_one_three_or_five_pools_of_one_manager_are_a_slot_each(tmp_path: Path, count: int) -> None:
    settings = loaded(tmp_path, slots(count))
    assert settings.slots == {f"manager-{number}" for number in range(count)}


def test_no_pool_has_a_slot_unless_it_says_so(tmp_path: Path) -> None:
    assert loaded(tmp_path, ONE_POOL).slots == frozenset()


@pytest.mark.parametrize(
    ("managers", "workers", "why"),
    [
        pytest.param(slots(2), "", "2 pools of one manager each: 1, 3 or 5", id="even"),
        pytest.param(slots(2) + ONE_POOL, "", "all pools of managers have it, or none has", id="mixed"),
        pytest.param(slots(3, ""), "", "exactly one must, unless each has retain_state", id="several without"),
        pytest.param(slots(1).replace("1\n    max: 1", "3\n    max: 3"), "", "a slot holds one", id="three in one"),
        pytest.param(slots(1).replace("[t3.small]", "[t3.small, t3.medium]"), "", "and one type", id="several types"),
        pytest.param(slots(1).replace("zone: 1", "zone: 3"), "", "retain_state.zone", id="no such zone"),
        pytest.param(slots(1), SLOT, "is for managers", id="workers"),
    ],
)  # fmt: skip
def test_what_can_be_no_slot_is_refused(tmp_path: Path, managers: str, workers: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        loaded(tmp_path, managers, workers)
