"""A pool of Windows nodes: its template and its documents. Nothing here runs PowerShell; docs/windows.md says so."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from infra.documents import DOCUMENTS, SCRIPTS, WINDOWS_DOCUMENTS
from infra.names import SAVE
from swarmkeeper.edge.settings import Settings, SettingsError, load_settings
from tests.infra.conftest import ROOT, synthesised
from tests.infra.template import Template

POOL = {
    "role": "worker",
    "os": "windows",
    "instance_types": ["m6i.large"],
    "min": 0,
    "max": 2,
    "node_image": "ami-0123456789abcdef0",
}
POWERSHELL = sorted([*SCRIPTS.glob("*.ps1"), ROOT / "infra" / "user_data.ps1"])


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The demo's profile with a pool of Windows nodes more."""
    settings = with_windows_nodes()
    return synthesised(Settings.from_json(json.dumps(settings)), tmp_path_factory.mktemp("windows"))


def with_windows_nodes() -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(load_settings(ROOT / "swarmkeeper.demo.yaml").to_json())
    settings["pools"]["desktops"] = POOL
    settings["network"]["isolation"] = "fleet"
    return settings


def document(template: Template, name: str) -> dict[str, Any]:
    content: dict[str, Any] = template.one("AWS::SSM::Document", Name=f"demo-{name}")["Content"]
    return content


def script_of(content: dict[str, Any]) -> str:
    (step,) = content["mainSteps"]
    return "\n".join(step["inputs"]["runCommand"])


def test_a_fleet_without_windows_nodes_has_none_of_their_documents(template: Template) -> None:
    names = {each["Name"] for each in template.of_type("AWS::SSM::Document").values()}
    assert names == {f"demo-{name}" for name in WINDOWS_DOCUMENTS}


@pytest.mark.parametrize(
    ("setting", "value", "refused"),
    [("encrypted", True, "true: Windows nodes"), ("isolation", "tenant", "tenant: pools of Windows nodes")],
)
def test_networks_of_windows_nodes_are_neither_encrypted_nor_their_tenants_own(
    setting: str, value: object, refused: str
) -> None:
    settings = with_windows_nodes()
    settings["network"][setting] = value
    with pytest.raises(SettingsError, match=rf"network\.{setting}: {refused} \(desktops\)"):
        Settings.from_json(json.dumps(settings))


def test_every_command_has_a_document_for_windows(windows: Template) -> None:
    names = {each["Name"] for each in windows.of_type("AWS::SSM::Document").values()}
    assert names == {f"demo-{name}{platform}" for name in WINDOWS_DOCUMENTS for platform in ("", "-windows")}
    assert DOCUMENTS.keys() - WINDOWS_DOCUMENTS.keys() == {SAVE}  # which is for Linux alone


@pytest.mark.parametrize("name", WINDOWS_DOCUMENTS)
def test_a_windows_document_takes_what_the_registrar_sends_to_linux(windows: Template, name: str) -> None:
    linux, other = document(windows, name), document(windows, f"{name}-windows")
    assert other["parameters"].keys() == linux["parameters"].keys()
    (step,) = other["mainSteps"]
    assert step["action"] == "aws:runPowerShellScript"
    assert step["precondition"] == {"StringEquals": ["platformType", "Windows"]}
    assert step["inputs"]["timeoutSeconds"] == linux["mainSteps"][0]["inputs"]["timeoutSeconds"]


@pytest.mark.parametrize("name", WINDOWS_DOCUMENTS)
def test_a_windows_document_checks_every_parameter_and_fits(windows: Template, name: str) -> None:
    content = document(windows, f"{name}-windows")
    script = script_of(content)
    assert set(re.findall(r"\{\{ ?(\w+) ?\}\}", script)) == set(content["parameters"])
    assert script.startswith("$ErrorActionPreference = 'Stop'")
    for parameter in content["parameters"].values():
        pattern = parameter["allowedPattern"]
        assert pattern[0] + pattern[-1] == "^$"
        assert not any(re.search(pattern, bad) for bad in ("'; Stop-Computer; '", "$(whoami)", "a\nb", "a b"))
    assert len(json.dumps(content)) < 64 * 1024


@pytest.mark.parametrize("name", WINDOWS_DOCUMENTS)
def test_every_constant_that_a_windows_document_reads_is_given_to_it(windows: Template, name: str) -> None:
    script = script_of(document(windows, f"{name}-windows"))
    read = set(re.findall(r"\$\{?([A-Z][A-Z0-9_]+)\b", script)) - {"PID", "LASTEXITCODE"}
    assert read <= set(re.findall(r"(?m)^\$([A-Z][A-Z0-9_]+) = '", script))


def test_the_join_token_is_in_no_command_line_file_or_output(windows: Template) -> None:
    lines = [line for line in script_of(document(windows, "node-join-windows")).splitlines() if "$token" in line]
    assert [line.strip() for line in lines] == [
        '$token = (Get-SSMParameter -Name "$TOKEN_PREFIX/$role" -WithDecryption $true).Value',
        "'JoinToken' = $token",
    ]
    assert "token" not in document(windows, "node-join-windows")["parameters"]
    assert "swarm join" not in script_of(document(windows, "node-join-windows"))


def test_the_join_ends_with_the_object_that_the_registrar_reads(windows: Template) -> None:
    last = script_of(document(windows, "node-join-windows")).splitlines()[-1]
    assert "'node_id' = $swarm.NodeID; 'state' = $swarm.LocalNodeState" in last
    assert "ConvertTo-Json -Compress" in last


def test_the_engine_listens_on_the_nodes_address_to_the_fleets_clients_only(windows: Template) -> None:
    script = script_of(document(windows, "node-join-windows"))
    for wanted in ('"tcp://${address}:2376"', "'tlsverify' = $true", "'tlscacert'", "'tlscert'", "'tlskey'"):
        assert wanted in script
    assert "0.0.0.0:2376" not in script


def test_the_key_is_kept_to_administrators_before_it_is_there(windows: Template) -> None:
    script = script_of(document(windows, "node-csr-windows"))
    assert script.index("icacls $tls /inheritance:r") < script.index("WriteAllText(")
    assert "PRIVATE KEY" not in script[script.index("[Console]::Out") :]


def test_a_registrys_password_goes_through_a_pipe(windows: Template) -> None:
    script = script_of(document(windows, "node-pull-windows"))
    assert "(Get-ECRLoginCommand).Password | docker login --username AWS --password-stdin" in script


@pytest.mark.parametrize("path", POWERSHELL, ids=lambda path: path.name)
def test_brackets_of_a_script_are_balanced(path: Any) -> None:
    text = re.sub(r"(?m)(^|\s)#.*$|'[^'\n]*'|\"[^\"\n]*\"", "", path.read_text(encoding="utf-8"))
    stack: list[str] = []
    for sign in text:
        if sign in "([{":
            stack.append(sign)
        elif sign in ")]}":
            assert stack, f"{path.name}: a {sign} too many"
            assert stack.pop() + sign in ("()", "[]", "{}")
    assert stack == []


def test_windows_nodes_are_no_targets_of_the_load_balancer(windows: Template) -> None:
    group = windows.one("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName="demo-desktops")
    assert "TargetGroupARNs" not in group
    assert (group["NewInstancesProtectedFromScaleIn"], group["HealthCheckType"]) == (True, "EC2")


def test_windows_nodes_are_born_with_powershell_and_a_larger_encrypted_disk(windows: Template) -> None:
    data = windows.one("AWS::EC2::LaunchTemplate", LaunchTemplateName="demo-desktops")["LaunchTemplateData"]
    assert data["UserData"].startswith("<powershell>")
    assert "<persist>true</persist>" in data["UserData"]
    assert len(data["UserData"].encode()) < 16 * 1024
    (disk,) = data["BlockDeviceMappings"]
    assert (disk["DeviceName"], disk["Ebs"]["Encrypted"], disk["Ebs"]["VolumeSize"]) == ("/dev/sda1", True, 100)
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1


def test_the_registrar_may_run_windows_documents_and_hears_of_their_end(windows: Template) -> None:
    for name in WINDOWS_DOCUMENTS:
        assert f"document/demo-{name}-windows" in windows.text
    heard = {
        name
        for rule in windows.of_type("AWS::Events::Rule").values()
        for name in rule.get("EventPattern", {}).get("detail", {}).get("document-name", [])
    }
    assert {f"demo-{name}-windows" for name in WINDOWS_DOCUMENTS} <= heard
