"""The target `host`: functions run from their zips and the layer on this machine, as Lambda unpacks them.

One builder and one lock for both targets: only the machine and the Python that wheels are chosen for differ.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from infra import bundle, compiling, native, slimming
from infra.drafts import drafted
from infra.packages import install_here, pinned

RUNTIME_LOCK = bundle.ROOT / "requirements" / "local.txt"
RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""What Lambda's own runtime brings besides boto3, which no function imports."""


@dataclass(frozen=True, slots=True)
class Host:
    """The Python that functions run on here, and what was built for it."""

    python: Path
    version: str
    layer: Path
    """The layer's zip."""
    runtime: Path
    """A folder with the runtime's client."""


def host() -> Host:
    """Built once for each state of the locks; on Lambda's Python where there is one. Raises BundleError."""
    python = Path(compiling.compiler() or sys.executable)
    version = compiling.version_of(str(python))
    built = bundle.BUILD / "host" / _key(version)
    if not built.exists():
        with drafted(built) as draft:
            bundle.host_tree(draft / "layer" / "python", python)
            bundle.write_zip(draft / "layer", draft / "layer.zip")
            shutil.rmtree(draft / "layer")
            lock = draft / "runtime.txt"
            lock.write_text(pinned(RUNTIME_LOCK, RUNTIME), encoding="utf-8")
            install_here(draft / "runtime", python, lock)
    return Host(python, version, built / "layer.zip", built / "runtime")


def unpack(archive: Path, folder: Path) -> Path:
    """The zip's content in a folder of its own, which is returned."""
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


def unpack_function(code: Path, folder: Path, python: Path) -> Path:
    """A function's code, by way of the zip that is deployed, in a folder of its own, which is returned.

    Machine code in the zip is for Lambda's processor, so this machine's is put beside it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    archive = folder.with_suffix(".zip")
    bundle.write_zip(code, archive)
    unpack(archive, folder)
    if target := native.of_host(str(python)):
        native.put(target, folder)
    return folder


def _key(version: str) -> str:
    rules = (bundle.LOCK, RUNTIME_LOCK, slimming.RULES, compiling.RULES, Path(__file__))
    content = b"".join(path.read_bytes() for path in rules)
    return hashlib.sha256(content + f"{version} {platform.machine()}".encode()).hexdigest()[:16]
