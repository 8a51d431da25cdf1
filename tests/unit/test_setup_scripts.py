"""The setup's shell: what failed is not taken for done, though callers ask in conditions, where the shell goes on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETUP = ROOT / "scripts/setup"


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail\nsay() {{ echo \"$*\"; }}\n{script}"],
        cwd=folder, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def environment(folder: Path, **failing: str) -> bool:
    """Whether an environment is stamped as done when these steps fail."""
    (folder / "requirements").mkdir()
    (folder / "requirements/dev.txt").write_text("uv==1\n")
    (folder / "pyproject.toml").touch()
    steps = dict.fromkeys(("make_environment", "install_locked", "install_project"), "true") | failing
    stubs = "\n".join(f"{name}() {{ mkdir -p .venv/bin; {body}; }}" for name, body in steps.items())
    done = run(folder, f". {SETUP}/python.sh\n{stubs}\nvirtual_environment .venv find_python && echo made || exit 3")
    stamped = (folder / ".venv/.swarmkeeper-stamp").exists()
    assert (done.returncode == 0) is stamped, done.stderr
    return stamped


def test_an_environment_in_which_all_is_installed_is_stamped(tmp_path: Path) -> None:
    assert environment(tmp_path)


@pytest.mark.parametrize("step", ["make_environment", "install_locked", "install_project"])
def test_an_environment_that_lacks_something_is_not_stamped(tmp_path: Path, step: str) -> None:
    assert not environment(tmp_path, **{step: "false"})


def packages(folder: Path, apt_get: str) -> int:
    """What installing a package comes to, asked in a condition; apt_get stands for the program."""
    stubs = f"""
        way_to_root() {{ :; }}
        forbid_service_starts() {{ :; }}
        allow_service_starts() {{ :; }}
        disable_services() {{ :; }}
        apt-get() {{ {apt_get}; }}
        env() {{ shift; "$@"; }}
    """
    return run(folder, f". {SETUP}/system.sh\n{stubs}\n(install_packages wrk) || exit 3").returncode


def test_a_package_that_cannot_be_installed_is_told(tmp_path: Path) -> None:
    assert packages(tmp_path, "true") == 0
    assert packages(tmp_path, "false") == 3
    assert packages(tmp_path, '[ "$1" = update ]') == 3


@pytest.mark.parametrize("failing", ["apt-get", "tar", "go"])
def test_cadvisor_is_not_stamped_as_built_when_a_step_fails(tmp_path: Path, failing: str) -> None:
    main = tmp_path / "local/monitoring/cadvisor/main.go"
    main.parent.mkdir(parents=True)
    main.touch()
    working = """
        has_program() { :; }
        grep() { :; }
        apt-get() { touch kubernetes_1.orig.tar.gz; }
        tar() { mkdir vendor; }
        go() { touch build/cadvisor/cadvisor; }
    """

    def build(also: str = "") -> int:
        return run(tmp_path, f". {SETUP}/cadvisor.sh\n{working}\n{also}\n(build_cadvisor) || exit 3").returncode

    stamp = tmp_path / "build/cadvisor/.swarmkeeper-stamp"
    assert (build(f"{failing}() {{ return 1; }}"), stamp.exists()) == (3, False)
    assert (build(), stamp.exists()) == (0, True)
