# ruff: noqa: E501  # one case a line reads as a table
"""The scaling part of swarmkeeper.yaml: what is taken, what is refused, and what the domain makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmkeeper.domain.model import PoolName, Resources
from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom
from swarmkeeper.domain.scaling.policy import Consolidation
from swarmkeeper.edge.pools import pool_plans
from swarmkeeper.edge.scaling import drift_pools, dry_run_pools, policies
from swarmkeeper.edge.settings import Settings, SettingsError, load_settings

GOOD = """\
fleet: demo
network: {vpc_cidr: 10.42.0.0/16, overlay_pool: 10.96.0.0/12, fleet_subnet: 10.112.0.0/24, domain: fleet.example}
pools:
  managers: {role: manager, instance_types: [t3.small], min: 1, max: 1}
  big:
    role: worker
    instance_types: [t3.large]
    min: 1
    max: 4
    price: 0.2
    # big
  small:
    role: worker
    instance_types: [t3.small]
    min: 1
    max: 4
    price: 0.1
    # small
scaling:
  in_cooldown: 2m
"""
BIG, SMALL = PoolName("big"), PoolName("small")


def loaded(tmp_path: Path, scaling: str = "", big: str = "", managers: str = "") -> Settings:
    """GOOD with more in its scaling and in its pools, one line each."""
    text = GOOD + "".join(f"  {line}\n" for line in (scaling,) if line)
    text = text.replace("    # big", f"    {big}") if big else text
    text = text.replace("max: 1}", f"max: 1, {managers}}}") if managers else text
    path = tmp_path / "swarmkeeper.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def test_a_pool_has_its_own_settings_and_else_the_fleets(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "reserved_high: 0.7", "scaling: {reserved_high: 0.9, dry_run: true}")
    big, small = settings.scaling_of("big"), settings.scaling_of("small")
    assert (big.reserved_high, big.dry_run, big.in_cooldown) == (0.9, True, 120)
    assert (small.reserved_high, small.dry_run, small.in_cooldown) == (0.7, False, 120)


def test_what_a_pool_does_not_say_stays_unsaid_on_the_way_to_a_function(tmp_path: Path) -> None:
    settings = loaded(tmp_path, big="scaling: {max_additions: null, headroom: {cpus: 1}}")
    again = Settings.from_json(settings.to_json())
    assert again == settings
    assert again.pools["big"].scaling.model_fields_set == {"max_additions", "headroom"}
    assert again.pools["small"].scaling.model_fields_set == set()


def test_a_pool_can_take_a_limit_of_the_fleet_off(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "max_additions: {nodes: 3, window: 5m}", "scaling: {max_additions: null}")
    found = policies(settings)
    assert (found[BIG].limits.additions_in_window, found[SMALL].limits.additions_in_window) == (None, 3)


def test_the_domain_gets_each_pools_policy_and_no_managers(tmp_path: Path) -> None:
    scaling = "max_removals: {share: 0.25, window: 10m}"
    big = "scaling: {consolidation: {min_gain: 0.5}, max_node_age: 48h, arrival_headroom: {memory: 2h, percent: 150}, unavailable_for: 1m, drains_at_once: 2}"
    found = policies(loaded(tmp_path, scaling, big))
    assert set(found) == {BIG, SMALL}
    policy, limits = found[BIG], found[BIG].limits
    assert (policy.consolidation, policy.max_node_age_s) == (Consolidation(0.5), 172_800.0)
    assert policy.arrival_headroom == ArrivalHeadroom(boot_s=90, memory_s=7200, percent=150, spare_nodes=1)
    assert (limits.removals_in_window, limits.removals_share, limits.removals_window_s) == (None, 0.25, 600.0)
    assert (limits.unavailable_s, limits.drains_at_once, limits.in_cooldown_s) == (60.0, 2, 120.0)
    plain = found[SMALL]
    assert (plain.consolidation, plain.max_node_age_s, plain.arrival_headroom) == (None, None, None)


def test_the_budget_is_the_whole_fleets_in_every_pools_limits(tmp_path: Path) -> None:
    found = policies(loaded(tmp_path, "budget_per_hour: 1.5"))
    assert [policy.limits.budget_per_hour for policy in found.values()] == [1.5, 1.5]


def test_the_pools_to_be_told_only_and_those_to_be_renewed_are_known(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "replace_drifted: true", "scaling: {dry_run: true, replace_drifted: false}")
    assert (dry_run_pools(settings), drift_pools(settings)) == (frozenset({BIG}), frozenset({SMALL}))


def test_a_pools_price_reaches_the_domain(tmp_path: Path) -> None:
    plans = pool_plans(loaded(tmp_path), lambda _: Resources(2 * 10**9, 2**31))
    assert [plans[name].pool.price_per_hour for name in (BIG, SMALL)] == [0.2, 0.1]


@pytest.mark.parametrize(
    "entry",
    [
        "{metric: cpu_utilization, target: 70}",
        "{metric: memory_used, low: 40, high: 85}",
        "{metric: reserved_share, low: 0.4, high: 0.9, target: 0.7}",
        "{metric: custom, namespace: Acme, name: Fill, dimensions: {Fleet: demo}, statistic: Maximum, target: 0.1}",
    ],
)
def test_a_metric_has_a_target_or_a_band(tmp_path: Path, entry: str) -> None:
    settings = loaded(tmp_path, f"tracking: [{entry}]")
    assert Settings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        pytest.param("max_removals: 2", ":21: scaling.max_removals:", id="a bare number of removals"),
        pytest.param("max_removals: {window: 5m}", ":21: scaling.max_removals: give either nodes or share", id="no number of removals"),
        pytest.param("max_removals: {nodes: 1, share: 0.1}", ":21: scaling.max_removals: give either nodes or share", id="two numbers of removals"),
        pytest.param("max_removals: {share: 0}", ":21: scaling.max_removals.share:", id="a share of nothing"),
        pytest.param("max_additions: {nodes: 5}", ":21: scaling.max_additions.window: is missing", id="a rate without a window"),
        pytest.param("max_additions: {nodes: 0, window: 5m}", ":21: scaling.max_additions.nodes:", id="no additions at all"),
        pytest.param("budget_per_hour: 0.2", ":21: scaling.budget_per_hour: 0.2 is below 0.3, the price of", id="budget below the pools' min"),
        pytest.param("unavailable_for: 10", ":21: scaling.unavailable_for: 10 is not a duration", id="no unit"),
        pytest.param("consolidation: {}", ":21: scaling.consolidation.min_gain: is missing", id="consolidation for nothing"),
        pytest.param("max_node_age: 1m", ":21: scaling.max_node_age:", id="nodes that live a minute"),
        pytest.param("drains_at_once: 0", ":21: scaling.drains_at_once:", id="no drains"),
        pytest.param("arrival_headroom: {boot_time: 20m}", ":21: scaling.arrival_headroom.boot_time: 1200s is above the launch_limit of pool big", id="a boot that is given up"),
        pytest.param("forecast: {enabled: true, boot_time: 20m}", ":21: scaling.forecast.boot_time: 1200s is above", id="a forecast beyond the boot"),
        pytest.param("forecast: {weeks: 9}", ":21: scaling.forecast.weeks:", id="a forecast from forgotten weeks"),
        pytest.param("forecast: {timezone: Mars}", ":21: scaling.forecast.timezone: 'Mars' is not a time zone", id="a forecast by another planet's clock"),
        pytest.param("schedules: [{cron: '0 8 * *', min: 2}]", ":21: scaling.schedules.0.cron: '0 8 * *' is not five fields", id="four fields"),
        pytest.param("schedules: [{cron: '0 25 * * *', min: 2}]", ":21: scaling.schedules.0.cron: '0 25 * * *': Bad hour", id="hour 25"),
        pytest.param("schedules: [{cron: '0 8 * * *', min: 2, timezone: Europe/Bielefeld}]", ":21: scaling.schedules.0.timezone: 'Europe/Bielefeld' is not", id="no such zone"),
        pytest.param("schedules: [{cron: '0 8 * * *', min: 5}]", ":21: scaling.schedules.0.min: 5 is above max 4 of pool big", id="a minimum above max"),
        pytest.param("tracking: [{metric: latency, target: 1}]", ":21: scaling.tracking.0.metric:", id="unknown metric"),
        pytest.param("tracking: [{metric: cpu_utilization}]", ":21: scaling.tracking.0: give a target, or low and high", id="no target"),
        pytest.param("tracking: [{metric: cpu_utilization, target: 0.7}]", ":21: scaling.tracking.0.target: 0.7: cpu_utilization is in percent", id="a share for a percentage"),
        pytest.param("tracking: [{metric: reserved_share, target: 70}]", ":21: scaling.tracking.0.target: 70: reserved_share is a share", id="a percentage for a share"),
        pytest.param("tracking: [{metric: cpu_utilization, low: 30}]", ":21: scaling.tracking.0.high: low and high go together", id="half a band"),
        pytest.param("tracking: [{metric: cpu_utilization, low: 70, high: 30}]", ":21: scaling.tracking.0.low: 70 is not below high 30", id="a band upside down"),
        pytest.param("tracking: [{metric: cpu_utilization, low: 30, high: 70, target: 20}]", ":21: scaling.tracking.0.target: 20 is not between", id="a target outside its band"),
        pytest.param("tracking: [{metric: cpu_utilization, target: 70, name: x}]", ":21: scaling.tracking.0.name: belongs to custom metrics", id="a name for a known metric"),
        pytest.param("tracking: [{metric: custom, target: 70, name: x}]", ":21: scaling.tracking.0.namespace: is missing", id="a custom metric without a namespace"),
        pytest.param("tracking: [{metric: cpu_utilization, target: 70, period: 45s}]", ":21: scaling.tracking.0.period: 45s: CloudWatch takes", id="a period that CloudWatch doesn't have"),
    ],
)  # fmt: skip
def test_a_wrong_scaling_part_is_refused_with_line_and_field(tmp_path: Path, scaling: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, scaling)
    assert any(expected in line for line in caught.value.lines), caught.value.lines


def test_a_pool_gives_its_nodes_a_lifetime_of_its_own(tmp_path: Path) -> None:
    found = policies(loaded(tmp_path, big="max_lifetime: 48h"))
    assert found[PoolName("big")].max_lifetime_s == 172_800.0


@pytest.mark.parametrize(
    ("big", "managers", "expected"),
    [
        pytest.param("scaling: {reserved_high: 0.2}", "", ":11: pools.big.scaling.reserved_low: 0.3 is not below reserved_high 0.2", id="the pool's high below the fleet's low"),
        pytest.param("scaling: {alarm_period: 10s}", "", ":11: pools.big.scaling.alarm_period: unknown key", id="a setting of the fleet alone"),
        pytest.param("scaling: {schedules: [{cron: '0 8 * * *', min: 5}]}", "", ":11: pools.big.scaling.schedules.0.min: 5 is above max 4", id="a minimum above the pool's max"),
        pytest.param("purchase: reserved", "", ":11: pools.big.purchase:", id="a way to buy that there is not"),
        pytest.param("scaling: {}", "scaling: {dry_run: true}", ":4: pools.managers.scaling: managers are not sized", id="scaling of managers"),
        pytest.param("scaling: {}", "purchase: spot", ":4: pools.managers.purchase: spot: a manager", id="managers on spot"),
        pytest.param("scaling: {}", "max_lifetime: 48h", ":4: pools.managers.max_lifetime: managers are not", id="managers that age"),
        pytest.param("max_lifetime: 12h", "", ":11: pools.big.max_lifetime:", id="less than a day to live"),
    ],
)  # fmt: skip
def test_a_pools_wrong_scaling_part_is_refused_at_the_pool(
    tmp_path: Path, big: str, managers: str, expected: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, big=big, managers=managers)
    assert any(expected in line for line in caught.value.lines), caught.value.lines


@pytest.mark.parametrize(
    ("unpriced", "more", "expected"),
    [
        pytest.param(("    price: 0.1\n",), "", r"pools\.small\.price: is missing: another pool has one", id="one of two"),
        pytest.param(("    price: 0.1\n", "    price: 0.2\n"), "  budget_per_hour: 5.0\n", r"pools\.big\.price: is missing: scaling\.budget_per_hour counts it", id="none, and a budget"),
    ],
)  # fmt: skip
def test_every_pool_of_workers_has_a_price_or_none_has(
    tmp_path: Path, unpriced: tuple[str, ...], more: str, expected: str
) -> None:
    path, text = tmp_path / "swarmkeeper.yaml", GOOD + more
    for line in unpriced:
        text = text.replace(line, "")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=expected):
        load_settings(path)
