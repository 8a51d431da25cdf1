"""The bill of materials says what the layer holds, in CycloneDX's shape."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra import bundle
from infra.sbom import NotLockedError, locked, main, sbom


def document() -> Any:
    return sbom(bundle.layer(), bundle.LOCK.read_text(encoding="utf-8"))


def test_every_package_of_the_layer_is_named_once_with_its_locked_version() -> None:
    with zipfile.ZipFile(bundle.layer()) as archive:
        installed = {name.split("/")[1] for name in archive.namelist() if ".dist-info/" in name}
    components = document()["components"]
    assert len(components) == len(installed) > 10
    versions = locked(bundle.LOCK.read_text(encoding="utf-8"))
    assert all(versions[each["name"]] == each["version"] for each in components)
    assert {"botocore", "cryptography", "docker", "pydantic"} <= {each["name"] for each in components}
    assert "boto3" not in {each["name"] for each in components}


def test_it_has_the_shape_of_cyclonedx() -> None:
    written = document()
    assert (written["bomFormat"], written["specVersion"], written["version"]) == ("CycloneDX", "1.6", 1)
    application = written["metadata"]["component"]
    assert application["hashes"][0]["content"] == hashlib.sha256(bundle.layer().read_bytes()).hexdigest()
    references = [each["bom-ref"] for each in written["components"]]
    assert len(set(references)) == len(references)
    assert written["dependencies"] == [{"ref": application["bom-ref"], "dependsOn": references}]
    for each in written["components"]:
        assert each["type"] == "library"
        assert each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}"


def test_a_package_that_is_not_locked_is_an_error() -> None:
    with pytest.raises(NotLockedError, match="is in the layer; the lock has none"):
        sbom(bundle.layer(), "boto3==1.0\n")


def test_the_lock_is_read_with_extras_markers_and_hashes() -> None:
    lock = "A_b[parser]==1.2 ; python_version > '3' \\\n    --hash=sha256:00\nc.d==3.4 \\\n"
    assert locked(lock) == {"a-b": "1.2", "c-d": "3.4"}


def test_it_is_written_as_json(tmp_path: Path) -> None:
    main(tmp_path / "new" / "sbom.json")
    assert json.loads((tmp_path / "new" / "sbom.json").read_text()) == document()
