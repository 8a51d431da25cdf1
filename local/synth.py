"""Synthesises the CDK app for the local cloud, once for each state of its sources."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCES = (
    "infra",
    "compose",
    "functions",
    "swarmkeeper",
    "images",
    "requirements/runtime.txt",
    "cdk.json",
    "cdk.context.json",
)
JSII_BANNER = "b'!!"
"""How the lines begin in which jsii judges the age of Node.js."""
KEPT = 16
"""Older results than the newest few are removed."""


class SynthError(Exception):
    """The template could not be synthesised."""


def synthesise(root: Path, settings: Path) -> tuple[Path, bool]:
    """The cloud assembly's folder for these sources and settings, and whether it was made now. Raises SynthError."""
    cache = root / "build" / "local" / "synth"
    target = cache / fingerprint(root, settings)
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:  # what a synthesis makes on its way has one place in the checkout
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (target / "manifest.json").exists():
            os.utime(target)
            return target, False
        _synthesise(root, settings, target)
        _forget_old(cache)
    return target, True


def _synthesise(root: Path, settings: Path, target: Path) -> None:
    draft = target.with_suffix(f".{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    _run(root, settings, draft)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)


def fingerprint(root: Path, settings: Path) -> str:
    """A short digest of everything that the template is made from."""
    digest = hashlib.sha256(settings.read_bytes())
    for path in sorted(_files(root)):
        digest.update(f"\0{path.relative_to(root)}\0{path.stat().st_mode & 0o111:o}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _files(root: Path) -> Iterator[Path]:
    for name in SOURCES:
        source = root / name
        if source.is_file():
            yield source
            continue
        yield from (path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _run(root: Path, settings: Path, output: Path) -> None:
    environment = os.environ | {
        "SWARMKEEPER_SETTINGS": str(settings),
        "CDK_OUTDIR": str(output),
    }
    done = subprocess.run(
        [sys.executable, "-m", "infra.app"], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if not line.startswith(JSII_BANNER)]
        raise SynthError("\n".join(("the template could not be synthesised:", *said))[-3000:])
    if not (output / "manifest.json").exists():
        raise SynthError(f"the CDK app wrote no assembly into {output}")


def _forget_old(cache: Path) -> None:
    by_age = sorted((path for path in cache.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in by_age[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
