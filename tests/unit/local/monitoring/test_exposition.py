"""What cAdvisor tells becomes the points that Telegraf would make of it."""

from __future__ import annotations

import pytest

from local.monitoring.exposition import points_in

NOW = 1_700_000_000_000_000_000
TAGS = {"host": "i-1"}


def test_samples_of_one_container_at_one_time_are_one_point() -> None:
    text = (
        "# HELP container_cpu_usage_seconds_total ...\n"
        'container_cpu_usage_seconds_total{id="/a",name="web"} 1.5 1700000001000\n'
        'container_memory_usage_bytes{name="web",id="/a"} 64 1700000001000\n'
        'container_memory_usage_bytes{name="other",id="/b"} 1 1700000001000\n'
    )
    first, second = points_in(text, "cadvisor", TAGS, NOW)
    assert dict(first.fields) == {"container_cpu_usage_seconds_total": 1.5, "container_memory_usage_bytes": 64.0}
    assert dict(first.tags) == {"id": "/a", "name": "web", "host": "i-1"}
    assert first.time_ns == 1_700_000_001_000_000_000
    assert second.tags["name"] == "other"


def test_a_sample_without_a_time_is_of_now_and_one_that_is_no_number_is_left_out() -> None:
    (point,) = points_in("cores 2\nbroken NaN\nendless +Inf\n", "cadvisor", TAGS, NOW)
    assert (dict(point.fields), point.time_ns) == ({"cores": 2.0}, NOW)


def test_escapes_in_labels_are_undone() -> None:
    (point,) = points_in(r'up{a="say \"hi\", you",b="c:\\d\ne"} 1' + "\n", "cadvisor", {}, NOW)
    assert dict(point.tags) == {"a": 'say "hi", you', "b": "c:\\d\ne"}


def test_what_is_no_sample_is_an_error() -> None:
    with pytest.raises(ValueError, match="wget: error"):
        list(points_in("wget: error getting response\n", "cadvisor", TAGS, NOW))
