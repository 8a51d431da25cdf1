"""Run by mmdebstrap over the plain root, before it is packed: lays each language's packages over it as a layer.

    python -m local.bases.languages ROOT OUT NAME=PACKAGE,PACKAGE...

writes OUT/NAME.tar each. Mounts, so it is run in a mount namespace of its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from local.bases.layers import pack_upper


def main(root: Path, out: Path, *asked: str) -> None:
    """Make every layer that is asked for."""
    scratch = out / "layers"
    scratch.mkdir()
    # In memory: the folder may lie on an overlay itself, which can't be another one's upper side.
    _run("mount", "-t", "tmpfs", "layers", str(scratch))
    for each in asked:
        name, _, packages = each.partition("=")
        pack_upper(_install(root, scratch / name, packages.split(",")), out / f"{name}.tar")


def _install(root: Path, place: Path, packages: list[str]) -> Path:
    """The upper side of an overlay in which the packages were installed over the root."""
    upper, work, merged = place / "upper", place / "work", place / "merged"
    for folder in (upper, work, merged):
        folder.mkdir(parents=True)
    _run("mount", "-t", "overlay", "language", "-o", f"lowerdir={root},upperdir={upper},workdir={work}", str(merged))
    _run("mount", "--bind", "/dev", str(merged / "dev"))
    _run("mount", "-t", "proc", "proc", str(merged / "proc"))
    _run("chroot", str(merged), "apt-get", "install", "-qq", "--yes", "--no-install-recommends", *packages)
    _run("chroot", str(merged), "apt-get", "clean")
    _run("umount", "--recursive", str(merged))
    return upper


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
