"""Functions start from snapshots of published versions, and nothing calls them any other way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from infra import bundle
from infra.names import FUNCTIONS, LOCATOR
from infra.stack import FleetStack
from swarmkeeper.edge.settings import load_settings
from tests.infra.template import Template

ROOT = Path(__file__).parents[2]
ALL = (*FUNCTIONS, LOCATOR)
SNAPSHOT_STORAGE_MB = 512
MAY_NAME_A_FUNCTION = {
    "AWS::CloudWatch::Alarm",  # as the dashboard does
    "AWS::CloudWatch::Dashboard",  # its metrics are the function's, whatever version was called
    "AWS::Lambda::Alias",
    "AWS::Lambda::Version",
}


@pytest.mark.parametrize("name", ALL)
def test_a_functions_published_versions_start_from_a_snapshot(template: Template, name: str) -> None:
    function = template.one("AWS::Lambda::Function", FunctionName=f"demo-{name}")
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    # What SnapStart does not go with.
    assert function["Runtime"] == "python3.13"
    assert function.get("EphemeralStorage", {"Size": SNAPSHOT_STORAGE_MB})["Size"] <= SNAPSHOT_STORAGE_MB
    assert "FileSystemConfigs" not in function
    assert function.get("TracingConfig", {"Mode": "PassThrough"})["Mode"] == "PassThrough"


@pytest.mark.parametrize("name", FUNCTIONS)  # the locator reads none
def test_other_settings_are_another_version(template: Template, name: str) -> None:
    settings = template.one("AWS::SSM::Parameter", Name="/demo/settings")["Value"]
    variables = template.one("AWS::Lambda::Function", FunctionName=f"demo-{name}")["Environment"]["Variables"]
    assert variables["SWARMKEEPER_SETTINGS_DIGEST"] == hashlib.sha256(settings.encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", ALL)
def test_the_alias_is_of_a_version_of_its_function(template: Template, name: str) -> None:
    function = template.name_of("AWS::Lambda::Function", FunctionName=f"demo-{name}")
    alias = template.one("AWS::Lambda::Alias", FunctionName=f"<{function}>")
    version = template.of_type("AWS::Lambda::Version")[alias["FunctionVersion"].strip("<>").partition(".")[0]]
    assert version["FunctionName"] == f"<{function}>"
    assert not alias.keys() & {"ProvisionedConcurrencyConfig", "RoutingConfig"}


def test_nothing_but_alias_and_version_names_a_function(template: Template) -> None:
    functions = {template.name_of("AWS::Lambda::Function", FunctionName=f"demo-{name}") for name in ALL}
    naming = {
        (name, body["Type"])
        for name, body in json.loads(template.text)["Resources"].items()
        if functions & set(references(body.get("Properties", {})))
    }
    asynchronous = {each for each in naming if each[1] == "AWS::Lambda::EventInvokeConfig"}
    assert {kind for _, kind in naming - asynchronous} <= MAY_NAME_A_FUNCTION
    configured = template.of_type("AWS::Lambda::EventInvokeConfig")
    for name, _ in asynchronous:
        assert template.called(configured[name]["Qualifier"]).removeprefix("demo-") in ALL


def test_the_names_in_the_template_that_are_no_references_have_the_alias_too(template: Template) -> None:
    for name in ALL:
        assert f"function:demo-{name}" not in template.text.replace(f"function:demo-{name}:live", "")


def test_another_layer_publishes_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = versions(tmp_path / "before")
    other = tmp_path / "other.zip"
    other.write_bytes(bundle.layer().read_bytes())
    monkeypatch.setattr(bundle, "layer", lambda: other)
    assert not before & versions(tmp_path / "after")


def versions(folder: Path) -> set[str]:
    """The logical ids of the versions that the demo's profile publishes."""
    app = App(outdir=str(folder), analytics_reporting=False)
    stack = FleetStack(app, load_settings(ROOT / "swarmkeeper.demo.yaml"))
    app.synth()
    document = json.loads((folder / stack.template_file).read_text(encoding="utf-8"))
    found = set(Template(document).of_type("AWS::Lambda::Version"))
    assert len(found) == len(ALL)
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("Ref"), str):
            yield value["Ref"]
        if isinstance(value.get("Fn::GetAtt"), list):
            yield value["Fn::GetAtt"][0]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)
