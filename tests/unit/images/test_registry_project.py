"""The registry's compose project: what both kinds of storage keep to, and what a container of it may do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

PROJECT = Path(__file__).parents[3] / "compose" / "registry"
STORAGES = ("disk", "s3")


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(PROJECT / name)
    return found


def service() -> dict[str, Any]:
    found: dict[str, Any] = read("compose.yaml")["services"]["registry"]
    return found


@pytest.mark.parametrize("storage", STORAGES)
def test_nobody_is_served_without_tls_and_a_log_in(storage: str) -> None:
    settings = read(f"config.{storage}.yml")
    assert settings["http"]["tls"] == {
        "certificate": "/run/secrets/tls.crt", "key": "/run/secrets/tls.key", "minimumtls": "tls1.2",
    }  # fmt: skip
    assert settings["auth"] == {"htpasswd": {"realm": "swarmkeeper", "path": "/run/secrets/htpasswd"}}
    assert settings["http"]["debug"]["addr"].startswith("127.0.0.1:")


def test_the_kinds_of_storage_differ_in_nothing_else() -> None:
    disk, s3 = (read(f"config.{storage}.yml") for storage in STORAGES)
    assert (disk["storage"].pop("filesystem"), s3["storage"].pop("s3")["encrypt"]) == (
        {"rootdirectory": "/var/lib/registry"},
        True,
    )
    s3["storage"].pop("cache")
    assert disk == s3


def test_the_container_is_nobody_who_may_nothing_and_writes_images_only() -> None:
    found = service()
    assert (found["user"], found["read_only"], found["cap_drop"]) == ("65534:65534", True, ["ALL"])
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert [each for each in found["volumes"] if not each.endswith(":ro")] == [
        "${REGISTRY_DATA:-/var/lib/swarmkeeper/registry}:/var/lib/registry"
    ]


def test_no_secret_stands_in_the_containers_environment() -> None:
    found = service()
    assert not [name for name in found["environment"] if re.search("PASSWORD|SECRET|KEY|TOKEN", name)]
    assert "SECRET" not in re.findall(r'echo "(.*)"', (PROJECT / "up.sh").read_text())[0]


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(PROJECT / script), *arguments]
    known = {"PATH": "/usr/bin:/bin", **environment}
    return subprocess.run(command, env=known, capture_output=True, text=True, check=False)


def test_a_registry_without_its_secrets_is_not_started(tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text("ci:hash\n")
    done = run("up.sh", REGISTRY_SECRETS=str(tmp_path), REGISTRY_DATA=str(tmp_path / "data"))
    assert (done.returncode, done.stderr.strip()) == (2, f"missing: {tmp_path}/tls.crt")
    assert not (tmp_path / "data").exists()


def test_an_option_that_the_collection_does_not_know_is_refused_before_anything_is_done() -> None:
    done = run("gc.sh", "--everything")
    assert (done.returncode, "usage" in done.stderr) == (2, True)
