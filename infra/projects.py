"""The compose projects as one archive that depends on their content alone."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

from infra.bundle import BUILD, ROOT

PROJECTS = ("join", "node")
_EXECUTABLE, _PLAIN = 0o755, 0o644


@dataclass(frozen=True, slots=True)
class Archive:
    """A file and the checksum that nodes compare it with."""

    path: Path
    sha256: str


def compose_projects(*names: str) -> Archive:
    """Write build/compose/<checksum>.tar.gz with these projects, or those that nodes run when none is named."""
    content = _archive(ROOT / "compose", names or PROJECTS)
    checksum = hashlib.sha256(content).hexdigest()
    target = BUILD / "compose" / f"{checksum[:16]}.tar.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return Archive(target, checksum)


def _archive(folder: Path, names: tuple[str, ...]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(path for project in names for path in (folder / project).rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size = path.stat().st_size
            entry.mode = _EXECUTABLE if path.suffix == ".sh" else _PLAIN
            archive.addfile(entry, io.BytesIO(path.read_bytes()))
    # A zero time, or the archive's header would hold the present one.
    return gzip.compress(plain.getvalue(), mtime=0)
