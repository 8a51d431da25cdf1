"""Times: of whom they are told, and that every stretch whose ends were seen has one."""

from __future__ import annotations

import pytest

from swarmkeeper.cli.demo.telling import STRETCHES, first_served, stretches

JOINS = ({"node": "i-1"}, {"node": "i-2"}, {"node": "i-3"})
MOMENTS: dict[str, float | None] = dict.fromkeys({name for stretch in STRETCHES for name in stretch})


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param({"i-2": 30.0}, "i-2", id="the first by name stays empty"),
        pytest.param({"i-1": 31.0, "i-3": 30.0}, "i-3", id="the earliest of two"),
        pytest.param({}, "i-1", id="none was served"),
    ],
)
def test_times_are_told_of_the_new_node_that_got_the_first_container(seen: dict[str, float], expected: str) -> None:
    assert first_served(JOINS, seen.get)["node"] == expected


def test_a_container_that_runs_before_the_event_of_its_node_was_published_took_no_time() -> None:
    assert stretches(MOMENTS | {"node_ready": 20.2, "first_placed": 20.1}) == {"node_ready_to_first_placed": 0.0}


def test_a_stretch_whose_end_was_not_seen_is_left_out() -> None:
    assert stretches(MOMENTS | {"node_ready": 20.2}) == {}
