"""Stand-ins for the languages' official images, made of the distribution's packages where nothing can be pulled.

One run of mmdebstrap makes Debian's plain root; each language is a layer of packages over it. All of them stand in one
archive that `docker load` takes.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from local.bases.archive import write_archive
from local.machines import MachineError
from local.machines.processes import SYSTEM_PATH

SUITE = "bookworm"
REPOSITORY = "swarmkeeper-base"
ARCHIVE = "bases.tar"
LISTS = "stand-in"
"""The file beside a Dockerfile that lists its base's packages, one a line; empty for the plain root."""
_STAMP = "bases.stamp"
# What official slim images leave out too.
_LEFT_OUT = ("doc", "man", "info", "locale", "lintian")
_TIMEOUT_S = 900.0


def base_reference(images: Path, name: str) -> str:
    """What the stand-in is called once the archive is loaded into an engine; another name when the lists change."""
    return f"{REPOSITORY}/{name}:{SUITE}-{_fingerprint(packages_of(images))[:12]}"


def packages_of(images: Path) -> Mapping[str, tuple[str, ...]]:
    """Image -> the packages its base has beyond Debian's plain root, from the lists beside the Dockerfiles."""
    return {each.parent.name: tuple(each.read_text().split()) for each in sorted(images.glob(f"*/{LISTS}"))}


def make_bases(images: Path, folder: Path) -> Path:
    """The archive of all stand-ins, made unless it is there for these very lists.

    Needs root and Debian's archive; raises MachineError with mmdebstrap's words when it can't be made.
    """
    wanted = packages_of(images)
    archive, stamp = folder / ARCHIVE, folder / _STAMP
    if archive.exists() and stamp.exists() and stamp.read_text() == _fingerprint(wanted):
        return archive
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        layers = _make_layers(wanted, Path(scratch))
        made = Path(scratch) / ARCHIVE
        write_archive(made, {base_reference(images, name): parts for name, parts in layers.items()})
        made.rename(archive)
    stamp.write_text(_fingerprint(wanted))
    return archive


def _make_layers(wanted: Mapping[str, tuple[str, ...]], scratch: Path) -> Mapping[str, tuple[Path, ...]]:
    """Image -> its layers, the lowest first."""
    root, languages = scratch / "root.tar", {name: packages for name, packages in wanted.items() if packages}
    asked = [f"{name}={','.join(packages)}" for name, packages in languages.items()]
    # In a mount namespace of its own, so that whatever ends it leaves no mount behind.
    hook = ["unshare", "--mount", "--", sys.executable, "-m", "local.bases.languages", '"$1"', str(scratch), *asked]
    command = [
        _program("mmdebstrap"),
        "--mode=root",
        "--variant=apt",
        "--include=passwd",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in _LEFT_OUT),
        f"--customize-hook={' '.join(hook)}",
        SUITE,
        str(root),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    if ran.returncode:
        raise MachineError(f"the bases can't be made: {ran.stderr[-1500:].strip()}")
    return {name: (root, scratch / f"{name}.tar") if packages else (root,) for name, packages in wanted.items()}


def _program(name: str) -> str:
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise MachineError(f"missing: {name} (apt-get install {name})")
    return found


def _fingerprint(wanted: Mapping[str, tuple[str, ...]]) -> str:
    sources = [each.read_text() for each in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(repr((SUITE, sorted(wanted.items()), sources)).encode()).hexdigest()
