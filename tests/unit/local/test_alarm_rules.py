"""Alarms change state by the documented rules; the tables are AWS's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws.alarm_rules import (
    AlarmRule,
    AlarmState,
    Missing,
    Point,
    Sample,
    evaluate,
    points_of,
    statistic_of,
    window_end,
)

OK, ALARM, NO_DATA = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
KEEP = None
"""The current state is kept."""


def a_rule(m: int = 3, n: int = 3, missing: Missing = Missing.MISSING, period_s: int = 60) -> AlarmRule:
    return AlarmRule(period_s, n, m, "Average", "GreaterThanThreshold", 10.0, missing)


def points(drawn: str) -> list[Point]:
    """`0 - X` as a fine, a missing and a breaching datapoint, oldest first."""
    values = {"0": 1.0, "X": 11.0, "-": None}
    return [Point(60.0 * index, values[mark]) for index, mark in enumerate(drawn.split())]


def states(m: int, drawn: str, current: AlarmState) -> list[AlarmState]:
    order = (Missing.MISSING, Missing.IGNORE, Missing.BREACHING, Missing.NOT_BREACHING)
    return [evaluate(a_rule(m, 3, missing), points(drawn), current).state for missing in order]


@pytest.mark.parametrize("current", [OK, ALARM, NO_DATA])
@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ("0 - X - X", [OK, OK, OK, OK]),
        ("- - - - 0", [OK, OK, OK, OK]),
        ("- - - - -", [NO_DATA, KEEP, ALARM, OK]),
        ("0 X X - X", [ALARM, ALARM, ALARM, ALARM]),
        ("- - X - -", [ALARM, KEEP, ALARM, OK]),
    ],
)
def test_three_of_three_follows_awss_table(drawn: str, expected: list[AlarmState | None], current: AlarmState) -> None:
    assert states(3, drawn, current) == [current if state is KEEP else state for state in expected]


@pytest.mark.parametrize("current", [OK, ALARM, NO_DATA])
@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ("0 - X - X", [ALARM, ALARM, ALARM, ALARM]),
        ("0 0 X 0 X", [ALARM, ALARM, ALARM, ALARM]),
        ("0 - X - -", [OK, OK, ALARM, OK]),
        ("- - - - 0", [OK, OK, ALARM, OK]),
        ("- - - X -", [ALARM, KEEP, ALARM, OK]),
    ],
)
def test_two_of_three_follows_awss_table(drawn: str, expected: list[AlarmState | None], current: AlarmState) -> None:
    assert states(2, drawn, current) == [current if state is KEEP else state for state in expected]


@pytest.mark.parametrize("drawn", ["- - - - X", "- - - X -"])
@pytest.mark.parametrize("current", [OK, NO_DATA])
def test_a_single_new_breaching_datapoint_does_not_alarm_prematurely(drawn: str, current: AlarmState) -> None:
    assert evaluate(a_rule(), points(drawn), current).state is current


def test_enough_real_datapoints_make_the_treatment_of_missing_data_irrelevant() -> None:
    for missing in Missing:
        assert evaluate(a_rule(missing=missing), points("X X - - X"), OK).state is ALARM
        assert evaluate(a_rule(missing=missing), points("X X - - 0"), ALARM).state is OK


@pytest.mark.parametrize(
    ("operator", "at_threshold", "above", "below"),
    [
        ("GreaterThanThreshold", False, True, False),
        ("GreaterThanOrEqualToThreshold", True, True, False),
        ("LessThanThreshold", False, False, True),
        ("LessThanOrEqualToThreshold", True, False, True),
    ],
)
def test_the_comparison_operators(operator: str, at_threshold: bool, above: bool, below: bool) -> None:
    rule = AlarmRule(60, 1, 1, "Sum", operator, 5.0)
    assert [rule.breaches(value) for value in (5.0, 5.1, 4.9)] == [at_threshold, above, below]


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("SampleCount", 6.0), ("Sum", 21.0), ("Average", 3.5), ("Minimum", 1.0), ("Maximum", 8.0), ("p50", 1.0)],
)
def test_statistics_take_single_values_and_value_sets(statistic: str, expected: float) -> None:
    samples = [Sample.of(0, 1.0), Sample.of(1, 1.0), Sample(2, total=19.0, count=4.0, low=2.0, high=8.0)]
    assert statistic_of(statistic, samples) == expected


def test_percentiles_take_the_nearest_rank() -> None:
    samples = [Sample.of(0, float(value)) for value in range(1, 101)]
    assert [statistic_of(p, samples) for p in ("p50", "p90", "p99.5", "p100", "p0")] == [50, 90, 100, 100, 1]


def test_datapoints_are_periods_of_the_evaluation_range_oldest_first() -> None:
    rule = a_rule(m=1, n=1)
    samples = [Sample.of(at, value) for at, value in ((0, 9.0), (60, 1.0), (119, 3.0), (179.9, 5.0), (180, 100.0))]
    assert points_of(rule, samples, end=180.0) == (Point(0.0, 9.0), Point(60.0, 2.0), Point(120.0, 5.0))


@pytest.mark.parametrize(("period_s", "end"), [(10, 1230.0), (30, 1230.0), (60, 1200.0), (300, 1200.0)])
def test_windows_end_on_the_clock_every_ten_seconds_or_every_minute(period_s: int, end: float) -> None:
    assert window_end(a_rule(period_s=period_s), 1239.0) == end


marks = st.sampled_from(["0", "X", "-"])
rules = st.integers(1, 5).flatmap(
    lambda n: st.builds(a_rule, m=st.integers(1, n), n=st.just(n), missing=st.sampled_from(Missing))
)


@st.composite
def situations(draw: st.DrawFn) -> tuple[AlarmRule, list[Point], AlarmState]:
    rule = draw(rules)
    drawn = draw(st.lists(marks, min_size=rule.range_periods, max_size=rule.range_periods))
    return rule, points(" ".join(drawn)), draw(st.sampled_from(AlarmState))


@given(situations())
def test_evaluating_the_same_data_again_changes_nothing(
    situation: tuple[AlarmRule, list[Point], AlarmState],
) -> None:
    rule, seen, current = situation
    first = evaluate(rule, seen, current).state
    assert evaluate(rule, seen, first).state is first


@given(situations())
def test_enough_breaching_datapoints_among_the_newest_always_alarm(
    situation: tuple[AlarmRule, list[Point], AlarmState],
) -> None:
    rule, seen, current = situation
    newest = [p.value for p in seen if p.value is not None][-rule.evaluation_periods :]
    if sum(value > 10 for value in newest) >= rule.datapoints_to_alarm:
        assert evaluate(rule, seen, current).state is ALARM


@given(situations())
def test_fine_datapoints_alone_never_alarm_unless_missing_ones_count_as_breaching(
    situation: tuple[AlarmRule, list[Point], AlarmState],
) -> None:
    rule, seen, current = situation
    fine = [Point(p.start, 1.0 if p.value is not None else None) for p in seen]
    if rule.missing is not Missing.BREACHING and any(p.value is not None for p in fine):
        assert evaluate(rule, fine, current).state is OK


@given(situations())
def test_no_data_at_all_follows_only_the_treatment_of_missing_data(
    situation: tuple[AlarmRule, list[Point], AlarmState],
) -> None:
    rule, seen, current = situation
    nothing = [Point(point.start, None) for point in seen]
    expected = {
        Missing.MISSING: NO_DATA,
        Missing.IGNORE: current,
        Missing.BREACHING: ALARM,
        Missing.NOT_BREACHING: OK,
    }
    assert evaluate(rule, nothing, current).state is expected[rule.missing]
