"""A tracked metric settles: under a load that stays, a pool changes in one direction at most, and then no more."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from swarmkeeper.domain.scaling.floors import deciding_ceiling, deciding_floor
from swarmkeeper.domain.scaling.tracking import Band, Datapoint, tracked

MINUTE = 60.0
ROW = 5


def sizes(load: float, band: Band, nodes: int, boot_minutes: int, minutes: int) -> list[int]:
    """The pool's size each minute, when it does what the metric asks for; a node measures and counts once it serves."""
    since, booting = [0.0] * nodes, list[float]()
    points: list[Datapoint] = []
    found = []
    for minute in range(1, minutes):
        now = minute * MINUTE
        since += [ready for ready in booting if ready <= now]
        booting = [ready for ready in booting if ready > now]
        bounds = tracked(points, band, since, now)
        floor, ceiling = deciding_floor(bounds.floors), deciding_ceiling(bounds.ceilings)
        if floor is not None and floor.nodes > len(since) + len(booting):
            booting += [now + boot_minutes * MINUTE] * (floor.nodes - len(since) - len(booting))
        elif floor is not None and ceiling is not None:
            since = since[: max(1, floor.nodes, ceiling.nodes)]
        found.append(len(since) + len(booting))
        points.append(Datapoint(now, load / len(since)))
    return found


@given(
    load=st.floats(1, 5_000),
    target=st.floats(5, 95),
    tolerance=st.floats(0, 0.5),
    nodes=st.integers(1, 60),
    boot_minutes=st.integers(1, 6),
)
@example(load=70 * 5, target=70, tolerance=0.0, nodes=5, boot_minutes=2)
@example(load=70 * 5 + 0.001, target=70, tolerance=0.0, nodes=1, boot_minutes=6)
def test_under_a_steady_load_a_pool_grows_or_shrinks_and_then_stays(
    load: float, target: float, tolerance: float, nodes: int, boot_minutes: int
) -> None:
    band = Band.around("cpu", target, tolerance, MINUTE, ROW, scale_in=True)
    found = sizes(load, band, nodes, boot_minutes, minutes=40)
    changes = [after - before for before, after in zip([nodes, *found], found, strict=False) if after != before]
    assert len({change > 0 for change in changes}) <= 1
    assert found[-1] == found[len(found) // 2]
    assert load / found[-1] <= target * 1.000001


@given(low=st.floats(5, 40), width=st.floats(10, 50), load=st.floats(1, 5_000), nodes=st.integers(1, 60))
def test_within_a_band_nothing_changes_and_outside_it_the_pool_settles_within(
    low: float, width: float, load: float, nodes: int
) -> None:
    band = Band("cpu", low, low + width, low + width / 2, MINUTE, ROW)
    found = sizes(load, band, nodes, boot_minutes=2, minutes=40)
    if low <= load / nodes <= low + width:
        assert set(found) == {nodes}
    assert load / found[-1] <= low + width + 1e-6
