"""What nodes may do and run to be measured: nothing, unless the settings ask for it."""

from __future__ import annotations

import json

import pytest

from swarmkeeper.edge.settings import Settings, load_settings
from swarmkeeper.edge.settings_monitoring import MonitoringSettings
from tests.infra.conftest import ROOT, synthesised
from tests.infra.template import Template

IMAGE = f"registry.example/image@sha256:{'0' * 64}"
PASSWORD = "arn:aws:ssm:eu-central-1:123456789012:parameter/demo/monitoring/influxdb-password"
PUT = "cloudwatch:PutMetricData"


def with_monitoring(**parts: str) -> Settings:
    settings = load_settings(ROOT / "swarmkeeper.demo.yaml")
    return settings.model_copy(update={"monitoring": MonitoringSettings.model_validate(parts)})


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Template:
    settings = with_monitoring(cadvisor=IMAGE, telegraf=IMAGE, influxdb="http://10.42.0.9:8086")
    return synthesised(settings, tmp_path_factory.mktemp("measured"))


def join_script(template: Template) -> str:
    document = template.one("AWS::SSM::Document", Name="demo-node-join")
    return "\n".join(document["Content"]["mainSteps"][0]["inputs"]["runCommand"])


@pytest.mark.parametrize("group", ["demo-workers", "demo-managers"])
def test_a_measured_node_may_tell_cloudwatch_of_machines_and_read_the_password(measured: Template, group: str) -> None:
    granted = measured.statements_of(measured.role_of_pool(group))
    (put,) = [each for each in granted if PUT in each.actions]
    assert put.conditions == {"StringEquals": {"cloudwatch:namespace": "CWAgent"}}
    assert any(each.grants("ssm:GetParameter", PASSWORD) for each in granted)


@pytest.mark.parametrize("group", ["demo-workers", "demo-managers"])
def test_a_node_that_is_not_measured_may_do_neither(template: Template, group: str) -> None:
    granted = template.statements_of(template.role_of_pool(group))
    assert not any(PUT in each.actions or each.grants("ssm:GetParameter", PASSWORD) for each in granted)


def test_the_join_knows_the_images_and_where_influxdb_is(measured: Template, template: Template) -> None:
    assert f"TELEGRAF_IMAGE='{IMAGE}'" in join_script(measured)
    assert "INFLUXDB_URL='http://10.42.0.9:8086'" in join_script(measured)
    assert "TELEGRAF_IMAGE=''" in join_script(template)


def test_the_functions_are_not_told_what_measures_the_nodes() -> None:
    assert "monitoring" not in json.loads(with_monitoring(cadvisor=IMAGE).to_json())
