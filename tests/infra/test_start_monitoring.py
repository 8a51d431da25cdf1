"""How a joining node starts what measures it: the shell's own functions, with programs that only tell or hang."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.documents import SCRIPTS

IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/measures@sha256:0"
CONSTANTS = f"""
set -euo pipefail
project=/project REGISTRY='' REGISTRY_PARAMETERS='' ROUTER_IMAGE=router ROUTER_PORT=80 FLEET=demo pool=workers
AWS_DEFAULT_REGION=eu-central-1 INFLUXDB_URL=http://influx INFLUXDB_PASSWORD_PARAMETER=/password
CADVISOR_IMAGE={IMAGE} TELEGRAF_IMAGE={IMAGE}
"""
READS = "[ $1 != login ] || cat >/dev/null"
HANGS = "exec tail -f /dev/null"


def start(folder: Path, aws: str = "echo password", docker: str = ":", limit_s: int = 60) -> tuple[int, str]:
    """The exit code, and the engine's commands; `aws` and `docker` are what these programs do."""
    (folder / "bin").mkdir()
    for name, does in {"aws": aws, "docker": f"{READS}; echo $* >>{folder}/asked; {docker}"}.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    join = (SCRIPTS / "node-join.sh").read_text()
    parts = [
        join[join.index("clean_up() {") : join.index("trap clean_up EXIT\n\n")],
        join[join.index("start_monitoring() (") : join.index("# A unit of the host rather")],
    ]
    assert "SECONDS + 60" in parts[1]
    text = "\n".join([CONSTANTS, (SCRIPTS / "registry.sh").read_text(), *parts, "start_monitoring || exit 3"])
    done = subprocess.run(
        ["bash", "-c", text.replace("SECONDS + 60", f"SECONDS + {limit_s}").replace("/run/", f"{folder}/run/")],
        env={"PATH": f"{folder}/bin:/usr/bin:/bin"}, timeout=120, check=False,
    )  # fmt: skip
    asked = folder / "asked"
    return done.returncode, asked.read_text() if asked.exists() else ""


def test_both_are_started_and_no_log_in_is_left(tmp_path: Path) -> None:
    code, asked = start(tmp_path)
    assert code == 0
    assert asked.splitlines()[-1].endswith("--profile monitoring up --detach --no-color --quiet-pull cadvisor telegraf")
    assert list((tmp_path / "run/swarmkeeper").iterdir()) == []


def test_a_start_that_fails_is_tried_again(tmp_path: Path) -> None:
    once = f'case "$1" in compose) [ -e {tmp_path}/tried ] || {{ touch {tmp_path}/tried; exit 1; }} ;; esac'
    code, asked = start(tmp_path, docker=once)
    assert (code, asked.count("--profile monitoring up")) == (0, 2)


@pytest.mark.parametrize(("aws", "docker"), [(HANGS, ":"), ("echo password", HANGS)])
def test_what_hangs_is_ended_and_the_join_goes_on(tmp_path: Path, aws: str, docker: str) -> None:
    assert start(tmp_path, aws, docker, limit_s=1)[0] == 3
    assert list((tmp_path / "run/swarmkeeper").glob("*")) == []
