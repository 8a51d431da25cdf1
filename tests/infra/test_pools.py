"""How a pool's instances are bought, and how often EC2 measures them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack

from infra.names import Names
from infra.network import FleetNetwork
from infra.pools import NodePool
from swarmkeeper.edge.settings import PoolSettings, load_settings
from swarmkeeper.edge.settings_monitoring import MonitoringSettings
from swarmkeeper.edge.settings_scaling import PoolScaling
from tests.infra.conftest import ROOT
from tests.infra.template import Template

SETTINGS = load_settings(ROOT / "swarmkeeper.demo.yaml")


def pool_template(folder: Path, *, scaling: PoolScaling | None = None, **changes: Any) -> Template:
    """A stack with one pool of workers and the network that it needs."""
    app = App(outdir=str(folder), analytics_reporting=False)
    stack = Stack(app, "pool")
    names = Names(SETTINGS.fleet)
    network = FleetNetwork(stack, SETTINGS.network, names)
    pool: PoolSettings = SETTINGS.pools["workers"].model_copy(update=changes)
    NodePool(
        stack,
        "workers",
        pool,
        names,
        network,
        projects_arn="arn:aws:s3:::projects",
        scaling=scaling or PoolScaling(),
        logs_in=False,
        monitoring=MonitoringSettings(),
    )
    app.synth()
    return Template(json.loads((folder / stack.template_file).read_text(encoding="utf-8")))


def group(template: Template) -> dict[str, Any]:
    return template.one("AWS::AutoScaling::AutoScalingGroup")


def test_one_type_on_demand_is_launched_from_the_template_alone(tmp_path: Path) -> None:
    found = group(pool_template(tmp_path))
    assert "LaunchTemplate" in found
    assert "MixedInstancesPolicy" not in found


def test_several_types_on_demand_are_tried_in_their_order(tmp_path: Path) -> None:
    policy = group(pool_template(tmp_path, instance_types=("m7g.large", "m6g.large")))["MixedInstancesPolicy"]
    overrides = policy["LaunchTemplate"]["Overrides"]
    assert [each["InstanceType"] for each in overrides] == ["m7g.large", "m6g.large"]
    assert policy["InstancesDistribution"] == {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandPercentageAboveBaseCapacity": 100,
    }


@pytest.mark.parametrize("types", [("m7g.large",), ("m7g.large", "m6g.large", "c7g.xlarge")])
def test_a_spot_pool_buys_nothing_on_demand_and_may_take_any_of_its_types(
    tmp_path: Path, types: tuple[str, ...]
) -> None:
    found = group(pool_template(tmp_path, purchase="spot", instance_types=types))
    policy = found["MixedInstancesPolicy"]
    assert "LaunchTemplate" not in found
    assert [each["InstanceType"] for each in policy["LaunchTemplate"]["Overrides"]] == list(types)
    assert policy["InstancesDistribution"] == {
        "OnDemandBaseCapacity": 0,
        "OnDemandPercentageAboveBaseCapacity": 0,
        "SpotAllocationStrategy": "price-capacity-optimized",
    }


@pytest.mark.parametrize(
    ("tracked", "written"),
    [
        pytest.param((), None, id="nothing tracked"),
        pytest.param(({"metric": "memory_used", "target": 70},), None, id="another metric"),
        pytest.param(
            ({"metric": "cpu_utilization", "target": 70, "period": "5m"},), None, id="as often as EC2 measures"
        ),
        pytest.param(({"metric": "cpu_utilization", "target": 70},), {"Enabled": True}, id="each minute"),
    ],
)
def test_instances_are_measured_each_minute_only_where_that_is_tracked(
    tmp_path: Path, tracked: tuple[dict[str, Any], ...], written: dict[str, bool] | None
) -> None:
    template = pool_template(tmp_path, scaling=PoolScaling.model_validate({"tracking": tracked}))
    assert template.one("AWS::EC2::LaunchTemplate")["LaunchTemplateData"].get("Monitoring") == written
