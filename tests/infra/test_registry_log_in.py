"""How a node logs in to the fleet's registry: the shell's own functions, with AWS and the engine in miniature."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.documents import SCRIPTS

REGISTRY = "registry.example:5000"
OURS = f"{REGISTRY}/base/cadvisor@sha256:{'0' * 64}"
IN_MINIATURE = """
set -euo pipefail
aws() { [ -n "$ANSWER" ] || { echo "throttled" >&2; return 254; }; printf '%s\\n' "$ANSWER"; }
docker() { printf '%s with %s\\n' "$*" "$(cat)" >>"$DOCKER_CONFIG/said"; }
"""


def log_in(folder: Path, *images: str, answer: str = "", registry: str = REGISTRY) -> tuple[int, str, str]:
    """The exit code, what the engine was asked for, and standard error."""
    script = (SCRIPTS / "registry.sh").read_text().replace("/etc/docker", str(folder))
    # As the documents call it: in a condition, where the shell doesn't stop at what fails.
    calls = " && ".join(f"log_in_for '{image}'" for image in images)
    done = subprocess.run(
        ["bash", "-c", f"{IN_MINIATURE}{script}\n{calls} || exit 1"],
        env={
            "PATH": "/usr/bin:/bin",
            "ANSWER": answer,
            "REGISTRY": registry,
            "REGISTRY_PARAMETERS": "/demo/registry",
            "DOCKER_CONFIG": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = folder / "said"
    return done.returncode, said.read_text() if said.exists() else "", done.stderr


def authority_in(folder: Path) -> Path:
    return folder / "certs.d" / REGISTRY / "ca.crt"


@pytest.mark.parametrize("images", [(OURS, ""), ("", OURS)])
def test_where_cadvisor_or_telegraf_alone_is_wanted_its_registry_alone_is_logged_in_to(
    tmp_path: Path, images: tuple[str, str]
) -> None:
    code, said, stderr = log_in(tmp_path, *images, answer="ci:secret:word\tPEM\nof two lines")
    assert (code, stderr) == (0, "")
    assert said == f"login --username ci --password-stdin {REGISTRY} with secret:word\n"
    assert authority_in(tmp_path).read_text() == "PEM\nof two lines\n"


@pytest.mark.parametrize("image", ["", "/odd", "alpine", "docker.io/library/alpine"])
@pytest.mark.parametrize("registry", ["", REGISTRY])
def test_nobody_logs_in_for_no_image_or_for_somebody_elses(tmp_path: Path, image: str, registry: str) -> None:
    assert log_in(tmp_path, image, registry=registry) == (0, "", "")


def test_when_systems_manager_does_not_answer_the_authority_that_is_trusted_stays(tmp_path: Path) -> None:
    authority = authority_in(tmp_path)
    authority.parent.mkdir(parents=True)
    authority.write_text("good")
    assert log_in(tmp_path, OURS) == (1, "", "throttled\n")
    assert authority.read_text() == "good"


def test_a_registry_of_a_public_authority_has_none_of_its_own(tmp_path: Path) -> None:
    code, said, _ = log_in(tmp_path, OURS, answer="ci:secret\tNone")
    assert (code, said) == (0, f"login --username ci --password-stdin {REGISTRY} with secret\n")
    assert not authority_in(tmp_path).exists()


def test_a_missing_log_in_is_told_by_its_name(tmp_path: Path) -> None:
    code, said, stderr = log_in(tmp_path, OURS, answer="None\tPEM")
    assert (code, said) == (1, "")
    assert stderr == f"there is no parameter /demo/registry/pull to log in to {REGISTRY} with\n"
