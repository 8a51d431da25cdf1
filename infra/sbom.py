"""What third-party code is deployed, as a CycloneDX document: `python -m infra.sbom FILE`.

It is read from the layer itself; what stands there and not in the lock, by name and version, is an error.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

from infra import bundle
from swarmkeeper import __version__

PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)
LICENCE_TEXT_MAX = 100
"""Some packages put their licence's whole text where its name belongs."""

Json = dict[str, object]


class NotLockedError(Exception):
    """The layer holds a package that the lock doesn't name in that version."""


def sbom(layer: Path, lock: str) -> Json:
    """The document for a layer's zip. Raises NotLockedError."""
    components = list(_components(layer, locked(lock)))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "swarmkeeper",
                "name": "swarmkeeper",
                "version": __version__,
                "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(layer.read_bytes()).hexdigest()}],
            }
        },
        "components": components,
        "dependencies": [{"ref": "swarmkeeper", "dependsOn": [each["bom-ref"] for each in components]}],
    }


def locked(lock: str) -> dict[str, str]:
    """The lock's versions by normalised name."""
    return {_normalised(name): version for name, version in PINNED.findall(lock)}


def _components(layer: Path, versions: dict[str, str]) -> Iterator[Json]:
    with zipfile.ZipFile(layer) as archive:
        for path in sorted(each for each in archive.namelist() if each.endswith(".dist-info/METADATA")):
            told = Parser().parsestr(archive.read(path).decode(), headersonly=True)
            name, version = _normalised(told["Name"]), told["Version"]
            if versions.get(name) != version:
                raise NotLockedError(f"{name} {version} is in the layer; the lock has {versions.get(name, 'none')}")
            purl = f"pkg:pypi/{name}@{version}"
            found: Json = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
            licence = str(told.get("License-Expression") or told.get("License") or "").strip()
            if licence and len(licence) <= LICENCE_TEXT_MAX:
                found["licenses"] = [{"license": {"name": licence}}]
            yield found


def _normalised(name: str) -> str:
    """As the package index writes names: https://packaging.python.org/en/latest/specifications/name-normalization/."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main(target: Path) -> None:
    """Write the document of the layer that is deployed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    document = sbom(bundle.layer(), bundle.LOCK.read_text(encoding="utf-8"))
    target.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
