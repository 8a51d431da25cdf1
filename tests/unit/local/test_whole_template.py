"""The template of a fleet with all that there is becomes resources of the emulated AWS, but for what is listed here."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import App

from infra.stack import FleetStack
from local.aws.template import Template
from local.standalone import standing_alone
from local.starter import project_root
from swarmkeeper.edge.settings import load_settings

NOT_HONOURED = {("AWS::EFS::FileSystem", "BackupPolicy"), ("AWS::EFS::FileSystem", "FileSystemTags")}


def test_every_resource_is_made_and_what_is_not_honoured_is_told(tmp_path: Path) -> None:
    settings = tmp_path / "swarmkeeper.yaml"
    example = (project_root() / "swarmkeeper.example.yaml").read_text(encoding="utf-8")
    assert "  key: null " in example
    whole = example.replace("  key: null ", "  key: made ").replace("isolation: fleet", "isolation: tenant")
    assert "isolation: tenant" in whole
    settings.write_text(whole, encoding="utf-8")
    app = App(outdir=str(tmp_path / "cdk"), analytics_reporting=False)
    stack = FleetStack(app, load_settings(settings))
    app.synth()
    path = tmp_path / "cdk" / stack.template_file
    with standing_alone(path, tmp_path) as alone:
        deployed = alone.deployed
    assert {(one.type, one.what) for one in deployed.skipped} == NOT_HONOURED
    assert set(deployed.resources) == set(Template.load(path).resources)
