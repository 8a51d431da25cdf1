"""cfn-lint finds nothing in the templates of the profiles."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws_cdk import App
from cfnlint.api import lint_file  # type: ignore[import-untyped]  # it ships no types

from infra.stack import FleetStack
from swarmkeeper.edge.settings import load_settings

ROOT = Path(__file__).parents[2]
CDKS_OWN = {"W3005"}
"""CDK's constructs name what a resource waits for even where a reference says so already; it does no harm."""


@pytest.mark.parametrize("profile", ["swarmkeeper.demo.yaml", "swarmkeeper.example.yaml"])
def test_nothing_is_found_in_the_template(profile: str, tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path), analytics_reporting=False)
    stack = FleetStack(app, load_settings(ROOT / profile))
    app.synth()
    found = [match for match in lint_file(tmp_path / stack.template_file) if match.rule.id not in CDKS_OWN]
    assert [f"{match.rule.id} {match.path_string}: {match.message}" for match in found] == []
