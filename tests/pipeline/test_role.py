"""The role that makes node images: idempotent, and of one mind with the user data of a node's first boot."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.machines.filesystem import compose_binary
from swarmkeeper.edge.yaml_lines import read_yaml

ROOT = Path(__file__).parents[2]
PIPELINE = ROOT / "pipeline"
ROLE = PIPELINE / "ansible" / "roles" / "node"
TOOLS = ROOT / ".venv-pipeline"
USER_DATA = (ROOT / "infra" / "user_data.sh").read_text()


def defaults() -> dict[str, Any]:
    found: Any = read_yaml((ROLE / "defaults" / "main.yml").read_text()).data
    return dict(found)


def here_document(mark: str) -> str:
    found = re.search(rf"<<'{mark}'\n(.*?)^{mark}$", USER_DATA, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_engine_on_a_builder_is_configured_as_user_data_will_configure_it() -> None:
    assert (ROLE / "files" / "daemon.json").read_text() == here_document("JSON")
    assert (ROLE / "files" / "swarmkeeper.conf").read_text() == here_document("UNIT")


def test_compose_is_the_same_release_with_the_same_sums() -> None:
    given = dict(re.findall(r"^(COMPOSE_\w+)=(\S+)$", USER_DATA, re.MULTILINE))
    assert given == {
        "COMPOSE_VERSION": defaults()["node_compose_version"],
        **{f"COMPOSE_SHA256_{machine}": digest for machine, digest in defaults()["node_compose_sha256"].items()},
    }
    assert f'"{defaults()["node_compose_least"]}"' in USER_DATA


def test_the_packages_are_those_that_user_data_would_install() -> None:
    for wanted in defaults()["node_programs"]:
        named = f"{wanted['RedHat']} {wanted['Debian']}" if wanted["RedHat"] != wanted["Debian"] else wanted["Debian"]
        assert f"command -v {wanted['program']} >/dev/null || install_package {named}\n" in USER_DATA


def test_what_user_data_takes_for_a_node_that_has_booted_is_not_in_an_image() -> None:
    sealed = (ROLE / "tasks" / "seal.yml").read_text()
    for path in ("/var/lib/swarmkeeper/booted", "/var/lib/docker/engine-id", "/var/lib/docker/swarm"):
        assert f"    - {path}\n" in sealed


def test_role_playbooks_and_jobs_pass_their_linters() -> None:
    done = subprocess.run([PIPELINE / "lint.sh"], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr} (scripts/setup.sh --pipeline installs the linters)"
    jobs = {path.parent.name: path.read_text() for path in (ROOT / "build" / "jobs").glob("*/config.xml")}
    assert set(jobs) == {"swarmkeeper-images", "swarmkeeper-ami"}
    for name, job in jobs.items():
        (script,) = re.findall(r"<scriptPath>(.*)</scriptPath>", job)
        assert script == f"pipeline/jenkins/Jenkinsfile.{name.removeprefix('swarmkeeper-')}"
        assert (ROOT / script).exists()


@pytest.mark.engine
def test_the_role_makes_a_node_image_and_changes_nothing_the_second_time() -> None:
    """Molecule's default scenario, in a copy of this machine's root that was a node before and whose engine runs."""
    base = Path(sys.base_prefix)
    environment = {
        **os.environ,
        "PATH": f"{TOOLS / 'bin'}:{os.environ['PATH']}",
        "COMPOSE_BINARY": str(compose_binary()),
        "NEEDED_FOLDERS": f"{TOOLS} {base} {compose_binary().parent}",
    }
    done = subprocess.run(
        [PIPELINE / "ansible" / "in_copy_of_root.sh", TOOLS / "bin" / "molecule", "test"],
        cwd=PIPELINE / "ansible",
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    assert done.returncode == 0, said
    for action in ("converge", "idempotence", "verify"):
        assert f"{action}: Executed: Successful" in said
