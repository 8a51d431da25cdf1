"""An overlay's upper side as a layer of an image."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# Caches, logs and lists that each installation leaves: not what an image is for.
_LEFT_OUT = ("var/cache", "var/lib/apt/lists", "var/log", "tmp", "run", "dev", "proc")
_OPAQUE = "trusted.overlay.opaque"


def pack_upper(upper: Path, archive: Path) -> None:
    """Write the layer; what was removed from the lower side becomes a whiteout, as images have it."""
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in _members(upper):
            _add(tar, path, PurePosixPath(path.relative_to(upper)))


def _members(upper: Path) -> Iterator[Path]:
    """Everything below, parents first, in an order that is the same each time."""
    for folder, names, files in os.walk(upper):
        kept = [name for name in sorted(names) if str((Path(folder) / name).relative_to(upper)) not in _LEFT_OUT]
        names[:] = kept
        yield from (Path(folder) / name for name in (*kept, *sorted(files)))


def _add(tar: tarfile.TarFile, path: Path, name: PurePosixPath) -> None:
    about = path.lstat()
    if stat.S_ISCHR(about.st_mode) and about.st_rdev == 0:
        tar.addfile(tarfile.TarInfo(str(name.parent / f".wh.{name.name}")))
        return
    tar.add(path, str(name), recursive=False)
    if stat.S_ISDIR(about.st_mode) and _OPAQUE in os.listxattr(path):
        tar.addfile(tarfile.TarInfo(str(name / ".wh..wh..opq")))
