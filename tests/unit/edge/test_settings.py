# ruff: noqa: E501  # one case a line reads as a table
"""swarmkeeper.yaml: what is taken, what is refused, and where the refusal points."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from swarmkeeper.domain.model import PoolName, Resources, Role
from swarmkeeper.edge.pools import pool_plans
from swarmkeeper.edge.settings import HOOK_CEILING_S, HOOK_HEARTBEATS, Settings, SettingsError, load_settings
from swarmkeeper.edge.settings_account import AccountSettings
from swarmkeeper.edge.settings_entry import EntrySettings
from swarmkeeper.edge.settings_rules import architecture
from swarmkeeper.errors import InvalidInput

ROOT = Path(__file__).parents[3]
SHIPPED = ("swarmkeeper.demo.yaml", "swarmkeeper.chaos.yaml", "swarmkeeper.example.yaml")

GOOD = """\
fleet: demo
network:
  vpc_cidr: 10.42.0.0/16
  overlay_pool: 10.96.0.0/12
  fleet_subnet: 10.112.0.0/24
  domain: fleet.example
pools:
  managers:
    role: manager
    instance_types: [t3.small]
    min: 1
    max: 1
  workers:
    role: worker
    instance_types: [t3.small]
    min: 1
    max: 4
    labels: {containerslots: "4"}
    drain_limit: 30m
scaling:
  alarm_period: 10s
  reserved_high: 0.8
  reserved_low: 0.3
"""


def loaded(tmp_path: Path, *changes: tuple[str, str]) -> Settings:
    """GOOD with each change made once."""
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "swarmkeeper.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def refusals(tmp_path: Path, *changes: tuple[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, *changes)
    return caught.value.lines


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_is_valid_and_survives_the_journey_to_a_function(name: str) -> None:
    settings = load_settings(ROOT / name)
    network = settings.network.model_copy(update={"entry": EntrySettings(), "egress": "nat"})
    of_functions = settings.model_copy(update={"network": network, "account": AccountSettings()})
    assert Settings.from_json(settings.to_json()) == of_functions


def test_sizes_durations_and_slots_are_read_in_their_units(tmp_path: Path) -> None:
    settings = loaded(tmp_path, ("drain_limit: 30m", "system_reserve: {cpus: 0.5, memory: 256MiB}"))
    workers = settings.pools["workers"]
    assert workers.system_reserve.resources == Resources(500_000_000, 256 * 2**20)
    assert (workers.drain_limit, workers.slots, settings.scaling.alarm_period) == (1800, 4, 10)


def test_a_pool_allows_what_the_fleet_does_and_its_own(tmp_path: Path) -> None:
    fleet = ("fleet: demo", "fleet: demo\nadmission: {capabilities: [NET_ADMIN]}")
    pool = ("    drain_limit: 30m", "    admission: {host_network: true}\n    gpus: 2")
    settings = loaded(tmp_path, fleet, pool)
    workers, managers = settings.admission_of("workers"), settings.admission_of("managers")
    assert (workers.host_network, workers.capabilities) == (True, ("NET_ADMIN",))
    assert (managers.host_network, managers.capabilities) == (False, ("NET_ADMIN",))
    plan = pool_plans(settings, lambda _: Resources(2 * 10**9, 2**31))[PoolName("workers")]
    assert plan.pool.node_capacity.generic == (("gpu", 2),)


def test_a_pools_images_and_where_shared_volumes_are_kept(tmp_path: Path) -> None:
    images = ("    drain_limit: 30m", "    images: [registry.example/base:1]")
    volumes = ("fleet: demo", "fleet: demo\nvolumes: {shared: {kind: nfs, server: files.example, path: /exports}}")
    settings = loaded(tmp_path, images, volumes)
    plan = pool_plans(settings, lambda _: Resources(2 * 10**9, 2**31))[PoolName("workers")]
    assert plan.images == ("registry.example/base:1",)
    assert settings.volumes.shared is not None
    assert (settings.volumes.shared.server, settings.volumes.shared.path) == ("files.example", "/exports")
    assert settings.joining.token_rotation == 30 * 24 * 3600


def test_pools_are_found_by_role(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert list(settings.pools_of(Role.MANAGER)) == ["managers"]
    assert list(settings.pools_of(Role.WORKER)) == ["workers"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("fleet: demo", "fleet: demo\nflet: x", ":2: flet: unknown key", id="unknown key"),
        pytest.param("fleet: demo", "fleet: demo\njoining: {token_rotation: 10m}", ":2: joining.token_rotation:", id="tokens rotated too often"),
        pytest.param("    drain_limit: 30m", "    images: [\"web:1'\"]", ":19: pools.workers.images.0:", id="no image"),
        pytest.param("fleet: demo", "fleet: demo\nvolumes: {shared: {kind: nfs}}", ":2: volumes.shared.server: is missing", id="nfs of nobody"),
        pytest.param("fleet: demo", "fleet: demo\nvolumes: {shared: {kind: efs, server: files.example}}", ":2: volumes.shared.server: efs has its own", id="efs elsewhere"),
        pytest.param("fleet: demo", "fleet: demo\nvolumes: {shared: {kind: nfs, server: a, options: 'x y'}}", ":2: volumes.shared.options:", id="options with a space"),
        pytest.param("fleet: demo", "fleet: demo\nvolumes: {shared: {kind: nfs, server: a, path: srv}}", ":2: volumes.shared.path:", id="relative export"),
        pytest.param("    max: 4", "    maximum: 4", ":17: pools.workers.maximum: unknown key", id="misspelt key"),
        pytest.param("    min: 1\n    max: 4", "    min: 5\n    max: 4", ":16: pools.workers.min: 5 is above max 4", id="min above max"),
        pytest.param("    min: 1\n    max: 4", "    min: 0\n    max: 0", ":17: pools.workers.max: 0 is below 1", id="no node"),
        pytest.param("    min: 1\n    max: 4", "    min: true\n    max: 4", ":16: pools.workers.min:", id="not a number"),
        pytest.param("    instance_types: [t3.small]\n", "", ":8: pools.managers.instance_types: is missing", id="no types"),
        pytest.param("[t3.small]", "[]", ":10: pools.managers.instance_types:", id="empty types"),
        pytest.param("[t3.small]", "[t3]", ":10: pools.managers.instance_types.0:", id="bad type"),
        pytest.param("[t3.small]", "[t3.small, t4g.small]", ":10: pools.managers.instance_types: mixes", id="two architectures"),
        pytest.param("10.42.0.0/16", "10.42.0.0/33", ":3: network.vpc_cidr:", id="bad CIDR"),
        pytest.param("10.42.0.0/16", "10.42.0.1/16", ":3: network.vpc_cidr:", id="host bits"),
        pytest.param("10.42.0.0/16", "8.8.0.0/16", ":3: network.vpc_cidr: 8.8.0.0/16 is not a private", id="public"),
        pytest.param("10.112.0.0/24", "10.42.9.0/24", "5: network.fleet_subnet: 10.42.9.0/24 overlaps vpc_cidr", id="subnet in VPC"),
        pytest.param("10.112.0.0/24", "10.97.0.0/24", "5: network.fleet_subnet: 10.97.0.0/24 overlaps overlay_pool", id="subnet in pool"),
        pytest.param("10.96.0.0/12", "172.16.0.0/12", ":4: network.overlay_pool: 172.16.0.0/12 overlaps the engines'", id="bridge"),
        pytest.param("10.112.0.0/24", "10.112.0.0/28", ":5: network.fleet_subnet: 10.112.0.0/28 has 16 addresses; 4 routers and 5 nodes need 17", id="too small for routers"),
        pytest.param("10.112.0.0/24", "10.112.0.0/28\n  isolation: fleet", ":5: network.fleet_subnet: 10.112.0.0/28 has 16 addresses; 16 containers and 5 nodes need 29", id="too small for containers"),
        pytest.param("role: manager", "role: worker", ":7: pools: 0 pools have the role manager", id="no manager"),
        pytest.param("worker\n    instance_types: [t3.small]\n    min: 1\n    max: 4", "manager\n    instance_types: [t3.small]\n    min: 1\n    max: 1", ":7: pools: 2 pools have the role manager", id="two manager pools"),
        pytest.param("    max: 1\n", "    max: 2\n", ":12: pools.managers.max: 2 managers: 1, 3 or 5", id="even managers"),
        pytest.param("    min: 1\n    max: 1\n", "    min: 7\n    max: 7\n", ":11: pools.managers.min: 7 managers: 1, 3 or 5", id="seven managers"),
        pytest.param("    min: 1\n    max: 1\n", "    min: 0\n    max: 1\n", ":11: pools.managers.min: 0 managers: 1, 3 or 5", id="no managers at times"),
        pytest.param("    max: 1\n", "    max: 3\n", ":11: pools.managers.min: 1 is not max 3", id="managers by demand"),
        pytest.param("30m", "48h", ":19: pools.workers.drain_limit:", id="drain outlasts the hook"),
        pytest.param("30m", "30", ":19: pools.workers.drain_limit: 30 is not a duration", id="no unit"),
        pytest.param("reserved_low: 0.3", "reserved_low: 0.8", ":23: scaling.reserved_low: 0.8 is not below", id="low at high"),
        pytest.param("10s", "20s", ":21: scaling.alarm_period: 20s: CloudWatch takes", id="alarm period"),
        pytest.param("workers:", "Workers_:", "pools.Workers_:", id="pool name"),
        pytest.param("role: worker", "role: boss", ":14: pools.workers.role:", id="role"),
        pytest.param("fleet: demo", "fleet: Demo!", ":1: fleet:", id="fleet name"),
        pytest.param("containerslots:", "ostype:", ":18: pools.workers.labels.ostype: ostype is answered", id="standard label"),
        pytest.param("domain: fleet.example", "domain: fleet.example\n  isolation: pool", ":7: network.isolation:", id="isolation"),
        pytest.param("domain: fleet.example", "domain: fleet.example\n  tenant_prefix: 27", ":7: network.tenant_prefix:", id="small networks"),
        pytest.param("10.96.0.0/12", "10.96.0.0/21\n  tenant_prefix: 22", ":5: network.tenant_prefix: 22: overlay_pool 10.96.0.0/21 holds 2 such", id="few networks"),
        pytest.param("domain: fleet.example", "domain: fleet.example\ntenants: {quota: {containers: 1009}}", ":7: tenants.quota.containers: 1009 of a tenant: its network has room for 1008", id="quota above a network"),
        pytest.param("domain: fleet.example", "domain: fleet.example\ntenants: {known: {big: {quota: {containers: 5000}}}}", ":7: tenants.known.big.quota.containers: 5000 of a tenant", id="a tenant's quota above a network"),
        pytest.param("fleet: demo", "fleet: demo\nimages: {router: nginx:latest}", ":2: images.router:", id="image without digest"),
        pytest.param("fleet: demo", f"fleet: demo\nmonitoring: {{telegraf: 'a@sha256:{'0' * 64}'}}", ":2: monitoring.telegraf: reads cAdvisor", id="Telegraf alone"),
        pytest.param("fleet: demo", "fleet: demo\nmonitoring: {influxdb: 'http://influx:8086'}", ":2: monitoring.influxdb: is filled by", id="InfluxDB alone"),
        pytest.param("fleet: demo", "fleet: demo\nmonitoring: {influxdb: \"http://x/'\"}", ":2: monitoring.influxdb:", id="no address"),
        pytest.param("fleet: demo", "fleet: demo\nfleet: two", ':2: (document): found duplicate key "fleet"', id="key twice"),
        pytest.param("fleet: demo", "fleet: [demo", "(document):", id="not YAML"),
        pytest.param("fleet: demo", "fleet: demo\nplacement: {strategy: best}", ":2: placement.strategy:", id="strategy"),
        pytest.param("fleet: demo", "fleet: demo\nplacement: {balance_over: z}", ":2: placement.balance_over", id="a key of one letter"),
        pytest.param("fleet: demo", "fleet: demo\nadmission: {host_mounts: [/var]}", ":2: admission.host_mounts.0: /var would give", id="host folder"),
        pytest.param("fleet: demo", "fleet: demo\nadmission: {host_ports: [8000-8999]}", ":2: admission.host_ports: holds 8080", id="the routers' port"),
        pytest.param("    drain_limit: 30m", "    admission: {host_ports: ['8080']}", ":19: pools.workers.admission.host_ports: holds 8080", id="the routers' port on a pool"),
        pytest.param("fleet: demo", "fleet: demo\ntenants: {known: {Acme: {}}}", "tenants.known.Acme", id="tenant's name"),
        pytest.param("fleet: demo", "fleet: demo\ntenants: {operators: [me]}", ":2: tenants.operators.0:", id="not a principal"),
        pytest.param("fleet: demo", "fleet: demo\ntenants: {quota: {pods: 1}}", ":2: tenants.quota.pods: unknown key", id="unknown quota"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_line_and_field(tmp_path: Path, old: str, new: str, expected: str) -> None:
    lines = refusals(tmp_path, (old, new))
    assert all(line.startswith("swarmkeeper.yaml:") for line in lines)
    assert any(expected in line for line in lines), lines


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    changes = (("10.42.0.0/16", "10.42.0.0/8"), ("    min: 1\n    max: 4", "    min: 5\n    max: 4"), ("10s", "20s"))
    lines = refusals(tmp_path, *changes)
    assert [line.split(":")[1] for line in lines] == ["3", "16", "21"]


def test_a_refusal_is_invalid_input_with_the_first_field(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        loaded(tmp_path, ("    min: 1\n    max: 4", "    min: 5\n    max: 4"))
    assert caught.value.field == "pools.workers.min"
    assert str(caught.value) == "swarmkeeper.yaml:16: pools.workers.min: 5 is above max 4"


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml:1: \(document\): can't be read"):
        load_settings(tmp_path / "nowhere.yaml")


def test_damaged_json_is_refused_not_crashed_on() -> None:
    with pytest.raises(SettingsError, match="settings:1"):
        Settings.from_json('{"fleet": "demo"')


@pytest.mark.parametrize("drain", ["60s", "30m", "4h", "47h"])
def test_the_leave_hook_outlasts_the_drain_limit(tmp_path: Path, drain: str) -> None:
    pool = loaded(tmp_path, ("30m", drain)).pools["workers"]
    assert pool.drain_limit < min(HOOK_CEILING_S, HOOK_HEARTBEATS * pool.leave_heartbeat_s)
    assert 30 <= pool.leave_heartbeat_s <= 7200


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("t3.small", "x86_64"), ("t4g.small", "arm64"), ("c7gn.xlarge", "arm64"), ("g4dn.xlarge", "x86_64"),
     ("g5g.xlarge", "arm64"), ("m7i-flex.large", "x86_64"), ("u-6tb1.metal", "x86_64"), ("a1.large", "arm64")],
)  # fmt: skip
def test_the_architecture_follows_the_instance_type(kind: str, expected: str) -> None:
    assert architecture(kind) == expected


def test_a_function_reads_its_settings_without_a_yaml_library() -> None:
    code = (
        "import sys; sys.modules['ruamel'] = sys.modules['ruamel.yaml'] = sys.modules['yaml'] = None; "
        "from swarmkeeper.edge.settings import Settings; print(Settings.from_json(sys.stdin.read()).fleet)"
    )
    text = load_settings(ROOT / SHIPPED[0]).to_json()
    result = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, text=True, cwd=ROOT)
    assert (result.stdout, result.returncode) == ("demo\n", 0), result.stderr


def test_a_fleet_of_many_pools_fits_the_parameter_that_the_functions_read() -> None:
    settings = load_settings(ROOT / "swarmkeeper.example.yaml")
    pools = settings.pools | {f"workers-{number}": settings.pools["workers"] for number in range(12)}
    assert len(settings.model_copy(update={"pools": pools}).to_json().encode()) < 8192
