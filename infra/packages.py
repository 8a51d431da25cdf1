"""Third-party packages into folders, as a lock names them: hashes are checked, nothing is built from source."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

UV = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-compile-bytecode")


class BundleError(Exception):
    """Something that a function needs is missing or can't be built."""


def install(target: Path, ways: Sequence[Callable[[Path], list[str]]]) -> None:
    """Run the first command that works: uv takes seconds, pip is for where only pip knows how to reach an index.

    Raises BundleError.
    """
    failures = []
    for command in ways:
        shutil.rmtree(target, ignore_errors=True)
        result = subprocess.run(command(target), capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return
        failures.append(result.stderr.strip()[-1000:])
    raise BundleError("the packages can't be installed:\n" + "\n".join(failures))


def install_here(target: Path, python: Path, lock: Path) -> None:
    """Install what a lock names for a Python of this machine. Raises BundleError."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    install(
        target,
        (
            lambda folder: [*UV, "--python", str(python), *what(folder, lock)],
            lambda folder: [*pip, "--disable-pip-version-check", "--no-compile", *what(folder, lock)],
        ),
    )


def what(target: Path, lock: Path) -> list[str]:
    """The options that uv and pip share."""
    options = ["--target", str(target), "--requirement", str(lock), "--require-hashes", "--no-deps"]
    return [*options, "--only-binary", ":all:"]


def names(lock: Path) -> frozenset[str]:
    """The packages that a lock names."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return frozenset(line.partition("==")[0] for line in lines if line[:1].isalnum())


def pinned(lock: Path, packages: Collection[str]) -> str:
    """These packages' blocks of a lock, with their hashes."""
    kept, lines = False, []
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line[:1].isalnum():
            kept = line.partition("==")[0] in packages
        if kept:
            lines.append(line)
    return "\n".join(lines) + "\n"
