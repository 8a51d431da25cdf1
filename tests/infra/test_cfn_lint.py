"""cfn-lint finds nothing in the templates of the profiles."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws_cdk import App
from cfnlint.api import lint_file  # type: ignore[import-untyped]  # it ships no types

from infra.stack import FleetStack
from swarmkeeper.edge.settings import Settings, load_settings
from tests.infra.test_account import settings_with
from tests.infra.test_slots import with_slots

ROOT = Path(__file__).parents[2]
CDKS_OWN = {"W3005"}
"""CDK's constructs name what a resource waits for even where a reference says so already; it does no harm."""


def found(settings: Settings, folder: Path) -> list[str]:
    app = App(outdir=str(folder), analytics_reporting=False)
    stack = FleetStack(app, settings)
    app.synth()
    matches = [match for match in lint_file(folder / stack.template_file) if match.rule.id not in CDKS_OWN]
    return [f"{match.rule.id} {match.path_string}: {match.message}" for match in matches]


@pytest.mark.parametrize("profile", ["swarmkeeper.demo.yaml", "swarmkeeper.example.yaml"])
def test_nothing_is_found_in_the_template(profile: str, tmp_path: Path) -> None:
    assert found(load_settings(ROOT / profile), tmp_path) == []


def test_nothing_is_found_where_a_key_of_the_fleets_own_encrypts(tmp_path: Path) -> None:
    assert found(settings_with("\naccount: {key: made}\n", tmp_path), tmp_path / "cdk") == []


def test_nothing_is_found_where_managers_have_slots(tmp_path: Path) -> None:
    assert found(with_slots(), tmp_path) == []
