"""From swarmkeeper.yaml to what each pool is sized by besides its demand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from functions.scaler.bounds import bounds_plans
from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.tracking import Band
from swarmkeeper.edge.settings import Settings, load_settings
from swarmkeeper.ports import MetricQuery

ROOT = Path(__file__).parents[2]
WORKERS = PoolName("workers")


def settings(**scaling: Any) -> Settings:
    """The demo's with more in its scaling."""
    document = load_settings(ROOT / "swarmkeeper.demo.yaml").model_dump(mode="json")
    document["scaling"] |= scaling
    return Settings.model_validate(document)


def test_without_such_settings_there_is_nothing_to_read() -> None:
    plans = bounds_plans(settings())
    assert set(plans) == {WORKERS}
    assert plans[WORKERS].is_empty


def test_each_metric_is_looked_for_where_it_is_published() -> None:
    tracking = [
        {"metric": "reserved_share", "target": 0.7},
        {"metric": "cpu_utilization", "target": 70, "period": "300s"},
        {"metric": "memory_used", "target": 80},
        {
            "metric": "custom",
            "namespace": "Acme",
            "name": "Fill",
            "dimensions": {"Team": "a"},
            "statistic": "Maximum",
            "target": 5,
        },
    ]
    ours, group = (("Fleet", "demo"), ("Pool", "workers")), (("AutoScalingGroupName", "demo-workers"),)
    assert [each.query for each in bounds_plans(settings(tracking=tracking))[WORKERS].tracked] == [
        MetricQuery("Swarmkeeper", "ReservedShare", ours, "Average", 60),
        MetricQuery("AWS/EC2", "CPUUtilization", group, "Average", 300),
        MetricQuery("CWAgent", "mem_used_percent", group, "Average", 60),
        MetricQuery("Acme", "Fill", (("Team", "a"),), "Maximum", 60),
    ]


def test_a_target_and_a_band_say_where_the_metric_stays() -> None:
    tracking = [
        {"metric": "cpu_utilization", "target": 50, "tolerance": 0.2, "datapoints": 5, "scale_in": False},
        {"metric": "memory_used", "low": 40, "high": 80},
        {"metric": "memory_used", "low": 40, "high": 80, "target": 70},
    ]
    assert [each.band for each in bounds_plans(settings(tracking=tracking))[WORKERS].tracked] == [
        Band("cpu_utilization", 40, 50, 50, 60, 5, scale_in=False),
        Band("memory_used", 40, 80, 60, 60, 15, scale_in=True),
        Band("memory_used", 40, 80, 70, 60, 15, scale_in=True),
    ]


def test_schedules_come_into_force_by_their_zone() -> None:
    schedules = [
        {"cron": "0 8 * * *", "timezone": "Europe/Berlin", "min": 3},
        {"cron": "0 19 * * *", "timezone": "Europe/Berlin", "min": 1},
    ]
    due = bounds_plans(settings(schedules=schedules))[WORKERS].due
    assert due is not None
    found = due(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp())
    assert [(datetime.fromtimestamp(each.at, UTC).isoformat(), each.nodes, each.schedule) for each in found] == [
        ("2026-07-01T06:00:00+00:00", 3, "0 8 * * * (Europe/Berlin)"),
        ("2026-06-30T17:00:00+00:00", 1, "0 19 * * * (Europe/Berlin)"),
    ]


def test_the_forecast_reads_what_the_reconciler_measured() -> None:
    forecast = bounds_plans(settings(forecast={"enabled": True, "weeks": 2}))[WORKERS].forecast
    assert forecast is not None
    ours = (("Fleet", "demo"), ("Pool", "workers"))
    assert (forecast.cpus, forecast.ahead_s, forecast.share) == (
        MetricQuery("Swarmkeeper", "ReservedCpus", ours, "Maximum", 300),
        180.0,
        0.8,
    )
    assert forecast.moments(2_000_000.0) == (2_000_000.0 - 7 * 86_400, 2_000_000.0 - 14 * 86_400)
