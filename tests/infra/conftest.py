"""The template, synthesised once; others from other settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aws_cdk import App

from infra.stack import FleetStack
from swarmkeeper.edge.settings import Settings, load_settings
from tests.infra.template import Template

ROOT = Path(__file__).parents[2]


def synthesised(settings: Settings, folder: Path) -> Template:
    """What the settings become; the assembly is left in a folder of its own there."""
    out = folder / "cdk"
    app = App(outdir=str(out), analytics_reporting=False)
    stack = FleetStack(app, settings)
    app.synth()
    return Template(json.loads((out / stack.template_file).read_text(encoding="utf-8")))


def settings_of(isolation: str, **account: str) -> Settings:
    """The demo's profile with this isolation, and with wishes of the account's owners."""
    told = json.loads(load_settings(ROOT / "swarmkeeper.demo.yaml").to_json())
    told["network"]["isolation"] = isolation
    told["account"] = told.get("account", {}) | account
    return Settings.from_json(json.dumps(told))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What it becomes where all containers are on one network."""
    return synthesised(settings_of("fleet"), tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What it becomes where tenants have networks of their own."""
    return synthesised(settings_of("tenant"), tmp_path_factory.mktemp("tenants"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What the demo's profile becomes."""
    return synthesised(load_settings(ROOT / "swarmkeeper.demo.yaml"), tmp_path_factory.mktemp("demo"))
