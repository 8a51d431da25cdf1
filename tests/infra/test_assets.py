"""What is packed for functions and nodes, and the scripts that run there."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from infra import bundle, native, suspend
from infra.documents import DOCUMENTS, script_lines
from infra.packages import BundleError
from infra.projects import compose_projects

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(
    [
        *ROOT.glob("infra/documents/*.sh"),
        ROOT / "infra/user_data.sh",
        ROOT / "compose/join/join.sh",
        ROOT / "compose/node/agent.sh",
        ROOT / "compose/node/guard.sh",
        ROOT / "compose/node/revive.sh",
    ]
)


def test_the_compose_projects_give_the_same_archive_each_time() -> None:
    first, second = compose_projects(), compose_projects()
    assert first == second
    with tarfile.open(first.path) as archive:
        entries = {entry.name: entry for entry in archive.getmembers()}
    assert {"join/compose.yaml", "join/join.sh", "node/compose.yaml", "node/nginx.conf.template"} <= entries.keys()
    assert entries["join/join.sh"].mode == 0o755
    assert {(entry.mtime, entry.uid, entry.uname) for entry in entries.values()} == {(0, 0, "")}


@pytest.mark.parametrize("name", ["placement", "scaler", "registrar", "reconciler"])
def test_a_functions_code_is_of_its_own_folder_and_the_library(name: str) -> None:
    code = bundle.function_code(name)
    packages = {path.relative_to(code).as_posix() for path in code.rglob("*") if path.is_file()}
    assert f"functions/{name}/handler.py" in packages
    assert "swarmkeeper/edge/settings.py" in packages
    assert not any(path.startswith(("swarmkeeper/cli", "infra", "local")) for path in packages)
    compiled = (f"{native.PACKAGE}/", native.LIBRARY)
    assert not [path for path in packages if not path.endswith((".py", ".pyc")) and not path.startswith(compiled)]
    assert {path.split("/")[1] for path in packages if path.startswith("functions/")} <= {
        name, "__init__.py", "__pycache__",
    }  # fmt: skip


def test_a_function_without_a_handler_stops_the_synthesis() -> None:
    with pytest.raises(BundleError, match="nothing/handler"):
        bundle.function_code("nothing")


def test_the_layer_holds_wheels_for_lambdas_own_machine_only() -> None:
    with zipfile.ZipFile(bundle.layer()) as archive:
        names = archive.namelist()
    assert all(name.startswith("python/") for name in names)
    packages = {name.removesuffix("c") for name in names}
    assert {"python/botocore/__init__.py", "python/docker/__init__.py", "python/pydantic/__init__.py"} <= packages
    compiled = [name for name in names if name.endswith(".so")]
    assert compiled
    assert all("aarch64" in name or ".abi3." in name for name in compiled), compiled


def test_a_zip_depends_on_its_content_alone(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "python").mkdir(parents=True)
        (tmp_path / name / "python" / "a.py").write_text("x = 1\n", encoding="ascii")
        bundle.write_zip(tmp_path / name, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_sound(script: Path) -> None:
    shell = "sh" if script.name == "join.sh" else "bash"
    command = [shell, "-n", str(script)]
    if shutil.which("shellcheck"):
        # Variables that the document sets first look unset to it, and its parts unused.
        command = ["shellcheck", f"--shell={shell}", "--exclude=SC2034,SC2154,SC2317", str(script)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_documents_whole_script_is_sound_and_strict(name: str) -> None:
    constants = dict.fromkeys(("AWS_DEFAULT_REGION", "BOOT_LIMIT_S", "JOIN_IMAGE"), "x")
    lines = script_lines(DOCUMENTS[name], constants)
    assert lines[:2] == ["#!/bin/bash", "set -euo pipefail"]
    result = subprocess.run(["bash", "-n"], input="\n".join(lines), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


class _AutoScaling:
    """Records what is suspended and unprotected; refuses an unknown group. 60 instances serve, protected."""

    def __init__(self) -> None:
        self.suspended: list[tuple[str, list[str]]] = []
        self.unprotected: list[str] = []

    def describe_auto_scaling_groups(self, **_: Any) -> dict[str, Any]:
        states = ["InService"] * 60 + ["Terminating:Wait"]
        instances = [
            {"InstanceId": f"i-{number}", "LifecycleState": state, "ProtectedFromScaleIn": True}
            for number, state in enumerate(states)
        ]
        return {"AutoScalingGroups": [{"Instances": instances}]}

    def set_instance_protection(self, **call: Any) -> None:
        assert len(call["InstanceIds"]) <= 50
        assert call["ProtectedFromScaleIn"] is False
        self.unprotected.extend(call["InstanceIds"])

    def suspend_processes(self, **call: Any) -> None:
        if call["AutoScalingGroupName"] == "unknown":
            raise ValueError("no such group")
        self.suspended.append((call["AutoScalingGroupName"], call["ScalingProcesses"]))


@pytest.fixture
def answers() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address that takes CloudFormation's answers, and what it was sent."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            assert not self.headers["Content-Type"]  # CloudFormation's address is signed for an empty one
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", received
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("kind", "group", "status", "suspended"),
    [
        ("Create", "demo-workers", "SUCCESS", [("demo-workers", ["AZRebalance"])]),
        ("Update", "demo-workers", "SUCCESS", [("demo-workers", ["AZRebalance"])]),
        ("Delete", "demo-workers", "SUCCESS", []),
        ("Create", "unknown", "FAILED", []),
    ],
)
def test_suspending_always_answers_cloudformation(
    monkeypatch: pytest.MonkeyPatch,
    answers: tuple[str, list[dict[str, Any]]],
    kind: str,
    group: str,
    status: str,
    suspended: list[tuple[str, list[str]]],
) -> None:
    address, received = answers
    groups = _AutoScaling()
    monkeypatch.setattr("boto3.client", lambda _: groups)
    properties = {"AutoScalingGroupName": group, "ScalingProcesses": ["AZRebalance"]}
    ids = {"StackId": "stack", "RequestId": "request", "LogicalResourceId": "NoRebalancing"}
    suspend.handler({"RequestType": kind, "ResponseURL": address, "ResourceProperties": properties, **ids}, None)
    assert groups.suspended == suspended
    assert len(groups.unprotected) == (60 if kind == "Delete" else 0)
    assert [each["Status"] for each in received] == [status]
    assert ids.items() <= received[0].items()
