"""What a fleet does is seen: every query of the dashboards and alert rules finds data in a real InfluxDB."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from local.images import CADVISOR
from local.monitoring import panels
from local.monitoring.influxdb import Influx, installed
from local.starter import project_root
from swarmkeeper.adapters.aws.measures import CloudWatchMeasures
from swarmkeeper.ports import MetricQuery
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import SLOTS, World


def influx_of(world: World) -> Influx:
    assert world.cloud.monitoring is not None
    return world.cloud.monitoring.influx


def tracked(world: World, metric: str) -> float:
    """The workers' metric as the scaler reads it for `tracking`."""
    query = MetricQuery(
        "CWAgent", metric, (("AutoScalingGroupName", f"{world.cloud.settings.fleet}-workers"),), "Average", 60
    )
    measures, now = CloudWatchMeasures(world.client("cloudwatch")), time.time()
    return world.wait(
        metric, lambda: next(iter(measures.series([query], start=now - 300, end=time.time())[0]), None), limit_s=60
    ).value


def outgrow_one_node(world: World) -> None:
    """More containers than one node holds: one waits, the scaler decides, a second node comes."""
    world.first_worker()
    for number in range(SLOTS + 1):
        world.request(f"web-{number}")
    world.wait("a second node", lambda: len(world.nodes("ready")) > 1, limit_s=150)
    world.wait("all running", lambda: set(world.states().values()) == {"running"}, limit_s=60)


def cadvisor_is_wanted() -> bool:
    """Whether it is there or could be: scripts/setup.sh builds it on Debian, whose source package alone has it."""
    release = Path("/etc/os-release")
    debian = release.is_file() and "ID=debian" in release.read_text(encoding="utf-8").splitlines()
    return debian or (project_root() / CADVISOR).is_file()


@pytest.mark.engine
@pytest.mark.skipif(not cadvisor_is_wanted(), reason="cAdvisor can be built on Debian only (scripts/setup/cadvisor.sh)")
def test_every_panel_and_alert_finds_data_of_real_engines_and_thresholds_can_follow_them(make_world: MakeWorld) -> None:
    world = make_world("real", monitoring=True)
    outgrow_one_node(world)
    influx, names = influx_of(world), panels.dashboards()
    wanted = {"container": "web-0", "node": world.containers()["web-0"]["node"] or ""}

    def empty() -> list[panels.Query]:
        return panels.without_data(influx, dict.fromkeys(names, wanted)) + panels.silent_alerts(influx)

    world.wait("data in every panel and alert", lambda: not empty(), limit_s=90)
    assert tracked(world, "mem_used_percent") > 0


@pytest.mark.loop
@pytest.mark.skipif(not installed(), reason="scripts/setup.sh --test installs InfluxDB where there is apt-get")
def test_what_the_control_plane_does_is_seen_on_its_dashboard(make_world: MakeWorld) -> None:
    world = make_world("simulated", monitoring=True)
    world.first_worker()
    world.request("web")
    influx = influx_of(world)
    # Simulated nodes have no memory to measure, and no decision is waited for.
    left_out = ("Share in use: memory of nodes", "Sizes that were decided, by pool", "Scaling decisions")

    def empty() -> list[panels.Query]:
        return [each for each in panels.without_data(influx, {"control-plane": {}}) if each.panel not in left_out]

    world.wait("data in every panel", lambda: not empty(), limit_s=120)
    assert any("only the control plane is measured" in line for line in world.said)
