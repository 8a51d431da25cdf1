"""docs/simulation.md tells what the command offers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from swarmkeeper.cli.main import app
from swarmkeeper.simulation.experiment import Setup
from swarmkeeper.simulation.named import CONFIG, DEFAULTS, FORECAST
from swarmkeeper.simulation.policies.step import Steps
from swarmkeeper.simulation.trace import COLUMNS
from tests.simulation.builders import a_setup

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "simulation.md").read_text()


def test_every_option_is_told() -> None:
    command = typer.main.get_command(app).commands["simulate"]  # type: ignore[attr-defined]
    options = [name for each in command.params for name in each.opts if name.startswith("--")]
    assert "--trace" in options
    assert [name for name in options if not re.search(rf"{name}\b", TEXT) and name != "--frontier"] == []


@pytest.mark.parametrize("name", [*DEFAULTS, FORECAST, CONFIG, *COLUMNS])
def test_every_policy_and_column_is_told(name: str) -> None:
    assert f"`{name}`" in TEXT or f"`{name}," in TEXT


def test_the_plots_are_there() -> None:
    plots = re.findall(r"\]\((simulation/[^)]+)\)", TEXT)
    assert plots
    assert all((DOCS / plot).exists() for plot in plots)
    assert {path.name for path in (DOCS / "simulation").iterdir()} == {Path(plot).name for plot in plots}


def test_the_parameters_that_are_told_are_those_that_are_used() -> None:
    setup: Setup = a_setup()
    assert f"{setup.headroom.percent} % of the most" in TEXT
    steps = Steps()
    assert f"over {steps.high:.0%} for 2 minutes adds {steps.grow:.0%}".replace("%", " %") in TEXT
    assert steps.high_for_s == 120
    assert f"cooldown {steps.cooldown_s:.0f} s" in TEXT
