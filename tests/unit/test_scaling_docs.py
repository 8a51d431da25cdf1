"""docs/scaling.md says what the settings are: each of them, with its default, and examples that are valid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from swarmkeeper.domain.scaling.guards import Guard
from swarmkeeper.edge.settings import PoolSettings, Settings
from swarmkeeper.edge.settings_scaling import (
    ArrivalHeadroomSettings,
    ConsolidationSettings,
    ForecastSettings,
    Headroom,
    MaxAdditions,
    MaxRemovals,
    PoolScaling,
    ScalingSettings,
    ScheduleSettings,
    TrackingSettings,
)

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
MODELS: dict[str, type[BaseModel]] = {
    "": ScalingSettings,
    "headroom": Headroom,
    "arrival_headroom": ArrivalHeadroomSettings,
    "max_additions": MaxAdditions,
    "max_removals": MaxRemovals,
    "consolidation": ConsolidationSettings,
    "tracking": TrackingSettings,
    "schedules": ScheduleSettings,
    "forecast": ForecastSettings,
}
OF_POOLS = {"price", "purchase", "scaling"}
ROWS = re.findall(
    r"^\| `([a-z_.]+)` \| (?:`([^`]+)`|(required)) \|", PAGE.partition("\n## Settings\n")[2], re.MULTILINE
)
BASE = {
    "fleet": "demo",
    "network": {
        "vpc_cidr": "10.42.0.0/16",
        "overlay_pool": "10.96.0.0/12",
        "fleet_subnet": "10.112.0.0/20",
        "domain": "fleet.example",
    },
    "pools": {
        "managers": {"role": "manager", "instance_types": ["t3.small"], "min": 1, "max": 1},
        "workers": {"role": "worker", "instance_types": ["t3.small"], "min": 1, "max": 40, "price": 0.02},
    },
}


def from_yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def field_of(name: str) -> FieldInfo:
    parent, _, field = name.rpartition(".")
    model = PoolSettings if parent == "pools" else MODELS[parent]
    return model.model_fields[field]


@pytest.mark.parametrize(("name", "default", "required"), ROWS)
def test_a_documented_default_is_the_settings_own(name: str, default: str, required: str) -> None:
    field = field_of(name)
    assert field.is_required() == bool(required)
    if not required:
        kind: Any = Annotated[(field.annotation, *field.metadata, None)]
        wanted: TypeAdapter[Any] = TypeAdapter(kind)
        assert field.get_default(call_default_factory=True) == wanted.validate_python(from_yaml(default))


def test_every_setting_is_documented_once() -> None:
    names = [f"{parent}.{name}".lstrip(".") for parent, model in MODELS.items() for name in model.model_fields]
    documented = [name for name, _, _ in ROWS]
    assert sorted(documented) == sorted([*names, *(f"pools.{name}" for name in OF_POOLS)])


def test_what_a_pool_may_have_of_its_own_stands_in_the_first_table() -> None:
    first = PAGE.partition("\n## Settings\n")[2].partition("For the fleet alone:")[0]
    plain = set(re.findall(r"^\| `([a-z_]+)` \|", first, re.MULTILINE))
    assert plain == set(PoolScaling.model_fields)


def test_every_guard_is_documented() -> None:
    table = PAGE.partition("| guard |")[2].partition("\n\n")[0]
    told = {
        guard for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for guard in re.findall(r"`([^`]+)`", row)
    }
    assert told == {guard.value for guard in Guard}


EXAMPLE = r"\n\n?((?:    (?:pools|placement|scaling):.*\n)(?:    .*\n)+)"
EXAMPLES = [from_yaml(text) for text in re.findall(EXAMPLE, PAGE)]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_valid(example: dict[str, Any]) -> None:
    pools: dict[str, Any] = BASE["pools"] | example.get("pools", {})
    Settings.model_validate(BASE | example | {"pools": pools})


def test_there_are_examples_to_check() -> None:
    assert len(EXAMPLES) == 5
