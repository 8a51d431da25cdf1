"""Whom a fault may hit: never so many that the fleet rightly does nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from local.chaos.snapshot import Amount, Group, NodeRecord, Snapshot
from local.chaos.stage import managers
from local.chaos.starting import profile_with
from swarmkeeper.edge.settings import load_settings
from tests.unit.local.chaos.snapshots import OFFERED, at_rest

NOTHING = Amount(0, 0, 0)


def with_managers(*ready: str, least: int) -> Snapshot:
    seen = at_rest()
    records = {one: NodeRecord(one, "managers", "manager", "ready", OFFERED, NOTHING, None, {}) for one in ready}
    group = Group("managers", least, least, least, dict.fromkeys(ready, "InService"))
    return replace(
        seen,
        nodes={**seen.nodes, **records},
        swarm={**seen.swarm, **dict.fromkeys(ready, True)},
        groups=(*seen.groups, group),
    )


THREE = ("i-m1", "i-m2", "i-m3")


@pytest.mark.parametrize(
    ("seen", "hit", "fit"),
    [
        pytest.param(with_managers(*THREE, least=3), (), list(THREE), id="all serve"),
        pytest.param(with_managers(*THREE, least=3), ("i-1",), list(THREE), id="a worker is hit"),
        pytest.param(with_managers(*THREE, least=3), ("i-m2",), [], id="one is hit"),
        pytest.param(with_managers("i-m1", "i-m2", least=3), (), [], id="one is being replaced"),
        pytest.param(with_managers("i-m1", least=1), (), [], id="the only one"),
        pytest.param(replace(with_managers(*THREE, least=3), swarm={"i-m1": True}), (), [], id="not in the Swarm yet"),
    ],
)
def test_a_manager_is_hit_only_while_the_quorum_bears_it(seen: Snapshot, hit: tuple[str, ...], fit: list[str]) -> None:
    assert managers(seen, hit) == fit


def test_a_profile_with_more_managers_is_the_shipped_one_otherwise(tmp_path: Path) -> None:
    shipped, made = (load_settings(profile_with(tmp_path, managers=count)) for count in (1, 3))
    assert (made.pools["managers"].min, made.pools["managers"].max) == (3, 3)
    assert made.pools["managers"].failure_grace == made.pools["workers"].failure_grace
    assert made.model_copy(update={"pools": shipped.pools}) == shipped


def test_a_profile_with_more_workers_has_no_more_slots(tmp_path: Path) -> None:
    shipped, made = (load_settings(profile_with(tmp_path, workers=count)) for count in (2, 4))
    before, after = shipped.pools["workers"], made.pools["workers"]
    assert (before.min, before.max, before.labels) == (2, 6, {"containerslots": "8"})
    assert (after.min, after.max, after.labels) == (4, 12, {"containerslots": "4"})
    assert made.model_copy(update={"pools": shipped.pools}) == shipped
    assert made.pools["managers"] == shipped.pools["managers"]
