"""The document that starts the registry: a run that fails half way leaves nothing that looks finished to the next."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.documents import script_lines
from infra.registry import SECRETS, UP

CONSTANTS = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "ASSET_BUCKET": "assets",
    "ASSET_KEY": "key",
    "SECRET_PREFIX": "/demo/registry-host",
    "REGISTRY_IMAGE": "alpine",
    "REGISTRY_PORT": "5000",
    "REGISTRY_STORAGE": "s3",
    "REGISTRY_BUCKET": "images",
}
IN_MINIATURE = """
aws() {
    case "$1 $2" in
        's3 cp') cp "$FOLDER/archive" "$5" ;;
        'ssm get-parameter') cat "$FOLDER/parameters/${5##*/}" ;;
    esac
}
chown() { :; }
cp() { [ "$1 ${FAILING:-}" != '-a cp' ] || return 1; command cp "$@"; }
"""
PROJECT_UP = '#!/bin/sh\necho "$@" >>"$FOLDER/started"\n[ "${FAILING:-}" != up ]\n'


@dataclass(frozen=True, slots=True)
class Host:
    """A machine's folders, and what AWS would answer, under one folder."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "parameters").mkdir()
        for name in SECRETS:
            self.tell(name, "first")
        with tarfile.open(self.folder / "archive", "w:gz") as archive:
            entry = tarfile.TarInfo("registry/up.sh")
            entry.size, entry.mode = len(PROJECT_UP), 0o755
            archive.addfile(entry, io.BytesIO(PROJECT_UP.encode()))

    def tell(self, name: str, value: str) -> None:
        (self.folder / "parameters" / name).write_text(value)

    def up(self, failing: str = "") -> int:
        checksum = hashlib.sha256((self.folder / "archive").read_bytes()).hexdigest()
        first, errexit, *lines = script_lines(UP, CONSTANTS | {"ASSET_SHA256": checksum})
        script = "\n".join([first, errexit, IN_MINIATURE, *lines])
        for place in ("/opt/swarmkeeper", "/etc/swarmkeeper", "/run/swarmkeeper"):
            script = script.replace(place, f"{self.folder}{place}")
        (self.folder / "run").mkdir(exist_ok=True)
        return subprocess.run(
            ["bash", "-c", script],
            env={"PATH": "/usr/bin:/bin", "FOLDER": str(self.folder), "FAILING": failing},
            capture_output=True, check=False, timeout=60,
        ).returncode  # fmt: skip

    def secrets(self) -> list[str]:
        folder = self.folder / "etc/swarmkeeper/registry"
        return [file.read_text() for file in sorted(folder.iterdir())] if folder.exists() else []

    def left(self) -> list[str]:
        """What stands beside the project and the secrets."""
        places = [*(self.folder / "opt/swarmkeeper").iterdir(), *(self.folder / "etc/swarmkeeper").iterdir()]
        return [place.name for place in places if place.name != "registry"]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_the_registry_is_started_with_the_secrets_and_the_project(host: Host) -> None:
    assert (host.up(), host.secrets(), host.left()) == (0, ["first"] * 3, [])
    assert (host.folder / "started").read_text() == "--quiet-pull\n"


def test_no_secret_takes_its_place_before_all_are_there(host: Host) -> None:
    assert host.up() == 0
    host.tell("htpasswd", "second")
    (host.folder / "parameters/tls.key").unlink()
    assert host.up() != 0
    assert (host.secrets(), host.left()) == (["first"] * 3, [])
    host.tell("tls.key", "second")
    assert (host.up(), host.secrets()) == (0, ["second", "first", "second"])


def test_a_project_that_is_copied_half_way_is_fetched_again(host: Host) -> None:
    checksum = host.folder / "opt/swarmkeeper/registry/checksum"
    assert (host.up(failing="cp") != 0, checksum.exists()) == (True, False)
    assert (host.up(), checksum.exists()) == (0, True)


def test_a_start_that_failed_is_tried_again_though_nothing_is_new(host: Host) -> None:
    assert (host.up(failing="up") != 0, host.up()) == (True, 0)
    assert (host.folder / "started").read_text() == "--quiet-pull\n" * 2
