"""Points in InfluxDB's line protocol."""

from __future__ import annotations

import math

import pytest

from local.monitoring.points import Point


def test_a_point_is_a_line_with_sorted_tags_and_what_means_something_escaped() -> None:
    point = Point("cpu", {"pool": "work ers", "host": "a=b,c", "none": ""}, {"b": 1, "a": 0.5}, 7)
    assert point.line() == r"cpu,host=a\=b\,c,pool=work\ ers a=0.5,b=1.0 7"


@pytest.mark.parametrize("fields", [{}, {"a": math.nan}, {"a": math.inf}])
def test_a_point_without_a_number_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cpu"):
        Point("cpu", {}, fields, 7).line()
