"""Shared volumes in the template: a file system where the settings ask for one, for nodes and not for containers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swarmkeeper.edge.settings import load_settings
from tests.infra.conftest import ROOT, synthesised
from tests.infra.template import Template


def template_with(folder: Path, volumes: dict[str, Any]) -> Template:
    settings = folder / "volumes.yaml"
    shipped = (ROOT / "swarmkeeper.demo.yaml").read_text(encoding="utf-8")
    settings.write_text(f"{shipped}\nvolumes: {json.dumps(volumes)}\n", encoding="utf-8")
    return synthesised(load_settings(settings), folder)


@pytest.fixture(scope="module")
def efs(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return template_with(tmp_path_factory.mktemp("efs"), {"shared": {"kind": "efs"}})


def environment(template: Template, function: str) -> dict[str, str]:
    found: dict[str, str] = template.one("AWS::Lambda::Function", FunctionName=function)["Environment"]["Variables"]
    return found


def test_a_fleet_that_asks_for_none_has_none(template: Template) -> None:
    assert template.of_type("AWS::EFS::FileSystem") == {}
    assert "SWARMKEEPER_SHARED_SERVER" not in environment(template, "demo-placement")
    assert "SHARED_VOLUMES=''" in script(template)


def test_the_file_system_is_encrypted_backed_up_and_outlives_the_stack(efs: Template) -> None:
    ((name, files),) = efs.of_type("AWS::EFS::FileSystem").items()
    assert (files["Encrypted"], files["BackupPolicy"]["Status"]) == (True, "ENABLED")
    assert efs.kept(name) == "Retain"


def test_there_is_an_address_in_each_zone_that_workers_alone_reach(efs: Template) -> None:
    addresses = efs.of_type("AWS::EFS::MountTarget").values()
    assert len({each["SubnetId"] for each in addresses}) == 2
    (group,) = {str(each["SecurityGroups"]) for each in addresses}
    rules = [
        each
        for each in efs.of_type("AWS::EC2::SecurityGroupIngress").values()
        if (each["FromPort"], each["ToPort"]) == (2049, 2049)
    ]
    (rule,) = rules
    assert rule["GroupId"].strip("<>") in group
    workers = efs.name_of("AWS::EC2::SecurityGroup", GroupDescription="Nodes with a router")
    assert workers in rule["SourceSecurityGroupId"]


@pytest.mark.parametrize("function", ["demo-placement", "demo-registrar", "demo-reconciler"])
def test_functions_that_make_containers_know_where_it_is(efs: Template, function: str) -> None:
    told = environment(efs, function)
    assert told["SWARMKEEPER_SHARED_SERVER"].endswith(".efs.eu-central-1.amazonaws.com")
    assert told["SWARMKEEPER_JOIN_IMAGE"]


def test_no_instance_starts_before_there_is_an_address(efs: Template) -> None:
    group = efs.name_of("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName="demo-workers")
    assert set(efs.of_type("AWS::EFS::MountTarget")) <= efs.waits_for(group)


def script(template: Template) -> str:
    document = template.one("AWS::SSM::Document", Name="demo-node-join")
    return "\n".join(document["Content"]["mainSteps"][0]["inputs"]["runCommand"])


def test_nodes_keep_containers_away_from_the_file_server(efs: Template) -> None:
    assert "SHARED_VOLUMES='yes'" in script(efs)


def test_a_server_that_is_there_already_is_only_named_in_the_settings(tmp_path: Path) -> None:
    nfs = template_with(tmp_path, {"shared": {"kind": "nfs", "server": "files.example"}})
    assert nfs.of_type("AWS::EFS::FileSystem") == {}
    assert "SWARMKEEPER_SHARED_SERVER" not in environment(nfs, "demo-placement")
    assert environment(nfs, "demo-placement")["SWARMKEEPER_JOIN_IMAGE"]
