"""The template, synthesised once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_cdk import App

from infra.stack import FleetStack
from swarmkeeper.edge.settings import load_settings
from tests.infra.template import Template

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """What the demo's profile becomes."""
    folder = tmp_path_factory.mktemp("cdk")
    app = App(outdir=str(folder), analytics_reporting=False)
    stack = FleetStack(app, load_settings(ROOT / "swarmkeeper.demo.yaml"))
    app.synth()
    yield Template(json.loads((folder / stack.template_file).read_text(encoding="utf-8")))
