"""What goes into the functions: their own code, and third-party code as one layer built from the lock."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
LOCK = ROOT / "requirements" / "runtime.txt"
PYTHON_VERSION = "3.13"
PLATFORM = "aarch64-manylinux_2_28"
"""Oldest C library that wheels may ask for; Lambda's python3.13 has 2.34."""
PIP_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
"""The same for pip, which doesn't know that a platform also takes the older ones' wheels."""
LEFT_OUT = ("swarmkeeper/cli", "swarmkeeper/simulation")
"""Parts of the library that no function runs."""
UNZIPPED_LIMIT_BYTES = 250 * 2**20
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BundleError(Exception):
    """Something that a function needs is missing or can't be built."""


def function_code(name: str) -> Path:
    """A folder with the function's own package and the library. Raises BundleError where the handler is missing."""
    if not (ROOT / "functions" / name / "handler.py").exists():
        raise BundleError(f"functions/{name}/handler.py is missing")
    target = BUILD / "functions" / name
    shutil.rmtree(target, ignore_errors=True)
    for source in _sources(name):
        copy = target / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    # Packages on AWS and in a test alike, also where the source tree does without the file.
    (target / "functions" / "__init__.py").touch()
    return target


def _sources(name: str) -> Iterator[Path]:
    top = ROOT / "functions" / "__init__.py"
    if top.exists():
        yield top
    for package in (ROOT / "swarmkeeper", ROOT / "functions" / name):
        for path in sorted(package.rglob("*.py")):
            if not path.relative_to(ROOT).as_posix().startswith(LEFT_OUT):
                yield path


def layer() -> Path:
    """The layer's zip, built once for each state of the lock. Raises BundleError."""
    key = hashlib.sha256(LOCK.read_bytes() + f"{PYTHON_VERSION} {PLATFORM}".encode()).hexdigest()[:16]
    target = BUILD / "layer" / f"{key}.zip"
    if not target.exists():
        tree = BUILD / "layer" / key
        shutil.rmtree(tree, ignore_errors=True)
        _install(tree / "python")
        _check_size(tree)
        write_zip(tree, target)
        shutil.rmtree(tree)
    return target


def _install(target: Path) -> None:
    """uv takes seconds; pip is the fallback where only pip knows how to reach a package index."""
    failures = []
    for command in (_with_uv(target), _with_pip(target)):
        shutil.rmtree(target, ignore_errors=True)
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return
        failures.append(result.stderr.strip()[-1000:])
    raise BundleError("the layer can't be built:\n" + "\n".join(failures))


def _with_uv(target: Path) -> list[str]:
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-compile-bytecode"]
    return [*command, "--python-version", PYTHON_VERSION, "--python-platform", PLATFORM, *_what(target)]


def _with_pip(target: Path) -> list[str]:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--python-version", PYTHON_VERSION, "--implementation", "cp"]
    for abi in ("cp" + PYTHON_VERSION.replace(".", ""), "abi3", "none"):
        command += ["--abi", abi]
    for platform in PIP_PLATFORMS:
        command += ["--platform", platform]
    return [*command, *_what(target)]


def _what(target: Path) -> list[str]:
    options = ["--target", str(target), "--requirement", str(LOCK), "--require-hashes", "--no-deps"]
    return [*options, "--only-binary", ":all:"]


def _check_size(tree: Path) -> None:
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    if size > UNZIPPED_LIMIT_BYTES:
        raise BundleError(f"the layer has {size} bytes; Lambda takes {UNZIPPED_LIMIT_BYTES} with the function's own")


def write_zip(tree: Path, target: Path) -> None:
    """Zip the tree so that the same files give the same bytes."""
    draft = target.with_suffix(".draft")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(tree.rglob("*")):
            if path.is_file() and "bin" not in path.relative_to(tree).parts[1:2]:
                entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
    draft.rename(target)
