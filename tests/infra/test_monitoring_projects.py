"""The monitoring parts of the compose projects: what can be checked of them without Telegraf and Grafana."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.grafana.influxql import SOURCE_UID
from infra.node_role import NODES_NAMESPACE
from local.machines.filesystem import compose_binary
from local.monitoring import stand_in, system
from local.monitoring.control_plane import STATISTICS
from local.monitoring.influxdb import DATABASE

COMPOSE = Path(__file__).parents[2] / "compose"
IMAGE = f"registry.example/image@sha256:{'0' * 64}"
SECRETS = ("INFLUXDB_PASSWORD", "INFLUXDB_ADMIN_PASSWORD", "INFLUXDB_READ_PASSWORD", "GRAFANA_ADMIN_PASSWORD")
OPTIONS = {
    "inputs.cpu": {"percpu", "totalcpu", "report_active"},
    "inputs.mem": set(),
    "inputs.system": set(),
    "inputs.disk": {"mount_points"},
    "inputs.net": {"interfaces", "ignore_protocol_stats"},
    "inputs.prometheus": {"urls", "metric_version", "timeout"},
    "inputs.cloudwatch": {
        "region", "namespaces", "period", "delay", "cache_ttl", "recently_active", "statistic_include",
    },
    "outputs.influxdb": {"urls", "database", "skip_database_creation", "username", "password", "timeout"},
    "outputs.cloudwatch": {"region", "namespace"},
}  # fmt: skip
"""The options that each plug-in's page lists, as far as we use them (Telegraf 1.32)."""
OF_EVERY_PLUGIN = {
    "interval", "flush_interval", "name_override", "namepass", "fieldinclude", "taginclude", "tagexclude", "tagpass",
    "tagdrop", "tags",
}  # fmt: skip
TO = ("to", "cloudwatch")
TELEGRAF = ["node/telegraf.conf", "node/telegraf-influxdb.conf", "monitoring/telegraf.conf"]


def telegraf(name: str) -> dict[str, Any]:
    return tomllib.loads((COMPOSE / name).read_text(encoding="utf-8"))


def plugins(*names: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{kind}.{plugin}", options)
        for name in names
        for kind in ("inputs", "outputs")
        for plugin, tables in telegraf(name).get(kind, {}).items()
        for options in (tables if isinstance(tables, list) else [tables])
    ]


def composed(project: str, **environment: str) -> dict[str, Any]:
    """The project as Compose itself reads it. Fails where it refuses it."""
    done = subprocess.run(
        [compose_binary(), "--file", COMPOSE / project / "compose.yaml", "--profile", "monitoring", "config"],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = yaml.safe_load(done.stdout)
    return read


@pytest.mark.parametrize("name", TELEGRAF)
def test_telegraf_is_given_plugins_and_options_that_its_pages_list(name: str) -> None:
    found = plugins(name)
    assert found
    for plugin, options in found:
        assert set(options) <= OPTIONS[plugin] | OF_EVERY_PLUGIN, plugin


def test_telegraf_and_its_stand_in_write_the_same() -> None:
    node = [(name, each) for name, each in plugins("node/telegraf.conf") if TO not in each.get("tags", {}).items()]
    (scraped,) = [each for name, each in node if name == "inputs.prometheus"]
    assert scraped["urls"] == [f"http://127.0.0.1:{stand_in.CADVISOR_PORT}{stand_in.CADVISOR_PATH}"]
    assert (scraped["metric_version"], scraped["name_override"]) == (2, "cadvisor")
    (traffic,) = [each for name, each in node if name == "inputs.net"]
    assert traffic["interfaces"] == [f"{name}*" for name in system.INTERFACES]
    measured = {"inputs.cpu", "inputs.mem", "inputs.system", "inputs.disk", "inputs.net", "inputs.prometheus"}
    assert measured <= {name for name, _ in node}
    fleet = dict(plugins("monitoring/telegraf.conf"))["inputs.cloudwatch"]
    assert (fleet["namespaces"], set(fleet["statistic_include"])) == ([stand_in.NAMESPACE], set(STATISTICS))
    outputs = [each for name, each in plugins(*TELEGRAF) if name == "outputs.influxdb"]
    assert [each["database"] for each in outputs] == [DATABASE, DATABASE]


def test_telegraf_and_its_stand_in_tell_cloudwatch_the_same() -> None:
    marked = [(name, each) for name, each in plugins("node/telegraf.conf") if TO in each.get("tags", {}).items()]
    told = {
        each.get("name_override", name.removeprefix("inputs.")): tuple(each["fieldinclude"]) for name, each in marked
    }
    assert told == stand_in.TO_CLOUDWATCH
    assert {each["interval"] for _, each in marked} == {"60s"}
    (output,) = [each for name, each in plugins("node/telegraf.conf") if name == "outputs.cloudwatch"]
    assert output["namespace"] == stand_in.NODES_NAMESPACE == NODES_NAMESPACE
    assert (output["taginclude"], output["tagpass"]) == ([stand_in.GROUP_TAG], {TO[0]: [TO[1]]})
    (influx,) = [each for _, each in plugins("node/telegraf-influxdb.conf")]
    assert influx["tagdrop"] == output["tagpass"]
    assert stand_in.GROUP_TAG in telegraf("node/telegraf.conf")["global_tags"]


def test_compose_reads_the_nodes_project_with_what_measures_them() -> None:
    environment = {"ROUTER_IMAGE": IMAGE, "ROUTER_PORT": "8080", "CADVISOR_IMAGE": IMAGE, "TELEGRAF_IMAGE": IMAGE}
    services = composed("node", **environment, INFLUXDB_CONFIG="--config /etc/telegraf/influxdb.conf")["services"]
    assert "-listen_ip=127.0.0.1" in services["cadvisor"]["command"]
    assert services["cadvisor"]["cap_drop"] == services["telegraf"]["cap_drop"] == ["ALL"]
    assert all(mount["read_only"] for mount in services["cadvisor"]["volumes"])
    given = ["--config", "/etc/telegraf/telegraf.conf"]
    assert services["telegraf"]["command"] == [*given, "--config", "/etc/telegraf/influxdb.conf"]
    assert composed("node", **environment)["services"]["telegraf"]["command"] == given


def test_compose_reads_the_monitoring_project_and_its_files_are_there() -> None:
    images = {f"{name}_IMAGE": IMAGE for name in ("INFLUXDB", "TELEGRAF", "GRAFANA")}
    project = composed("monitoring", **images, **dict.fromkeys(SECRETS, "secret"), AWS_REGION="eu-central-1")
    mounts = [each for service in project["services"].values() for each in service["volumes"]]
    bound = [each for each in mounts if each["type"] == "bind"]
    assert len(bound) == 3
    assert all(Path(each["source"]).exists() and each["read_only"] for each in bound)


def test_influxdb_answers_nothing_without_a_log_in() -> None:
    images = {f"{name}_IMAGE": IMAGE for name in ("INFLUXDB", "TELEGRAF", "GRAFANA")}
    project = composed("monitoring", **images, **dict.fromkeys(SECRETS, "secret"), AWS_REGION="eu-central-1")
    given = project["services"]["influxdb"]["environment"]
    found = [given[f"INFLUXDB_HTTP_{name}_ENABLED"] for name in ("AUTH", "PING_AUTH", "PPROF")]
    assert found == ["true", "true", "false"]


def test_grafana_is_given_the_source_and_the_folder_that_the_dashboards_need() -> None:
    provisioning = COMPOSE / "monitoring" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "influxdb.yaml").read_text())["datasources"]
    assert (source["uid"], source["type"], source["jsonData"]["dbName"]) == (SOURCE_UID, "influxdb", DATABASE)
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "swarmkeeper.yaml").read_text())["providers"]
    mounted = (COMPOSE / "monitoring" / "compose.yaml").read_text()
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounted
