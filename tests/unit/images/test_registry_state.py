"""When the registry is started anew: whenever a file that it reads differs, whichever run brought the file."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3] / "compose" / "registry"
SECRETS = ("htpasswd", "tls.crt", "tls.key")


@dataclass(frozen=True, slots=True)
class Host:
    """The project and its secrets in folders of a test's own, with programs that only tell how they were called."""

    folder: Path

    def __post_init__(self) -> None:
        shutil.copytree(PROJECT, self.folder / "project")
        for folder in ("secrets", "bin"):
            (self.folder / folder).mkdir()
        for name in SECRETS:
            self.change(f"secrets/{name}", "first")
        for name, does in {"chown": ":", "install": ":", "docker": 'echo "$REGISTRY_STATE"'}.items():
            program = self.folder / "bin" / name
            program.write_text(f"#!/bin/sh\n{does}\n")
            program.chmod(0o755)

    def change(self, name: str, content: str) -> None:
        file = self.folder / name
        file.unlink(missing_ok=True)
        file.write_text(content)

    def state(self, **settings: str) -> str:
        """What Compose is told of the files."""
        known = {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "REGISTRY_SECRETS": str(self.folder / "secrets")}
        done = subprocess.run(
            ["sh", str(self.folder / "project/up.sh")],
            env=known | {"REGISTRY_DATA": str(self.folder / "data")} | settings,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_registry_of_which_nothing_is_new_stays_as_it_is(host: Host) -> None:
    state = host.state()
    assert len(state) == 64
    assert host.state() == host.state(REGISTRY_READONLY="true") == state


@pytest.mark.parametrize("name", [*(f"secrets/{name}" for name in SECRETS), "project/config.disk.yml"])
def test_a_new_secret_or_setting_starts_it_anew(host: Host, name: str) -> None:
    before = host.state()
    host.change(name, "second")
    assert host.state() != before


def test_settings_of_the_other_storage_are_none_of_its_business(host: Host) -> None:
    before = host.state()
    host.change("project/config.s3.yml", "second")
    assert host.state() == before


def test_the_state_is_a_label_of_the_container() -> None:
    assert "swarmkeeper.state: ${REGISTRY_STATE:-}" in (PROJECT / "compose.yaml").read_text()
