"""What goes into the functions: their own code, and third-party code as one layer built from the lock."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra import compiling, slimming
from infra.reaching import reached

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
LOCK = ROOT / "requirements" / "runtime.txt"
PYTHON_VERSION = compiling.PYTHON_VERSION
PLATFORM = "aarch64-manylinux_2_28"
"""Oldest C library that wheels may ask for; Lambda's python3.13 has 2.34."""
PIP_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
"""The same for pip, which doesn't know that a platform also takes the older ones' wheels."""
LEFT_OUT = (
    "swarmkeeper/cli",
    "swarmkeeper/simulation",
    "swarmkeeper/edge/settings_reference.py",
    "swarmkeeper/edge/yaml_lines.py",
)
"""Parts of the library that no function runs."""
UNZIPPED_LIMIT_BYTES = 250 * 2**20
KEPT_S = 86_400.0
_UV = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-compile-bytecode")
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BundleError(Exception):
    """Something that a function needs is missing or can't be built."""


def function_code(name: str) -> Path:
    """A folder with what the handler can come to, of the function's own package and of the library.

    It is made once for each state of the sources, whoever else makes it at the same time. Raises BundleError where the
    handler is missing.
    """
    if not (ROOT / "functions" / name / "handler.py").exists():
        raise BundleError(f"functions/{name}/handler.py is missing")
    sources = {source.relative_to(ROOT): source.read_bytes() for source in _sources(name)}
    # Packages on AWS and in a test alike, also where the source tree does without the file.
    sources.setdefault(Path("functions/__init__.py"), b"")
    texts = b"".join(str(path).encode() + b"\0" + text + b"\0" for path, text in sources.items())
    target = BUILD / "functions" / name / _key(texts)
    if not target.exists():
        with drafted(target) as draft:
            for path, text in sources.items():
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
                (draft / path).write_bytes(text)
            _compile(draft, "/var/task", keep_sources=True)
        _forget_old(target)
    return target


@contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """A folder of one's own that takes the target's place when it is done, unless another one was quicker."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="draft-") as draft:
        whole = Path(draft) / "whole"
        whole.mkdir()
        yield whole
        try:
            whole.rename(target)
        except OSError:
            if not target.exists():
                raise


def _forget_old(newest: Path) -> None:
    """Remove what was made of the sources of days ago; younger folders may be read by others."""
    for folder in newest.parent.iterdir():
        if folder.stat().st_mtime < newest.stat().st_mtime - KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


def _sources(name: str) -> Iterator[Path]:
    yield from (ROOT / path for path in sorted(reached(ROOT, f"functions.{name}.handler", LEFT_OUT)))


def layer() -> Path:
    """The layer's zip, built once for each state of the lock and of what it does without. Raises BundleError."""
    what = LOCK.read_bytes() + slimming.RULES.read_bytes() + f"{PYTHON_VERSION} {PLATFORM}".encode()
    target = BUILD / "layer" / f"{_key(what)}.zip"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="draft-") as folder:
            tree = Path(folder)
            _install(tree / "python", (_with_uv, _with_pip))
            slimming.slim(tree / "python")
            _compile(tree / "python", "/opt/python", keep_sources=False)
            _check_size(tree)
            write_zip(tree, target)
    return target


def host_tree(target: Path, python: Path, *, slim: bool = True) -> None:
    """The same packages for a Python of this machine, as a folder; all that was locked unless `slim`.

    They are compiled as for Lambda where that Python is of its version. Raises BundleError.
    """
    install_here(target, python, LOCK)
    if slim:
        slimming.slim(target)
        if compiling.version_of(str(python)) == PYTHON_VERSION:
            compiling.compile_all(str(python), target, str(target), keep_sources=False)


def install_here(target: Path, python: Path, lock: Path) -> None:
    """Install what a lock names for a Python of this machine. Raises BundleError."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    _install(
        target,
        (
            lambda folder: [*_UV, "--python", str(python), *_what(folder, lock)],
            lambda folder: [*pip, "--disable-pip-version-check", "--no-compile", *_what(folder, lock)],
        ),
    )


def _key(content: bytes) -> str:
    """A name for what is made of the content, the same on every machine that has a compiler."""
    rules = compiling.RULES.read_bytes() if compiling.compiler() else b""
    return hashlib.sha256(content + rules).hexdigest()[:16]


def _compile(folder: Path, installed: str, *, keep_sources: bool) -> None:
    python = compiling.compiler()
    if python is None:
        return
    try:
        compiling.compile_all(python, folder, installed, keep_sources=keep_sources)
    except compiling.CompileError as error:
        raise BundleError(f"{folder} can't be compiled: {error}") from error


def _install(target: Path, ways: Sequence[Callable[[Path], list[str]]]) -> None:
    """uv takes seconds; pip is the fallback where only pip knows how to reach a package index."""
    failures = []
    for command in ways:
        shutil.rmtree(target, ignore_errors=True)
        result = subprocess.run(command(target), capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return
        failures.append(result.stderr.strip()[-1000:])
    raise BundleError("the packages can't be installed:\n" + "\n".join(failures))


def _with_uv(target: Path) -> list[str]:
    return [*_UV, "--python-version", PYTHON_VERSION, "--python-platform", PLATFORM, *_what(target, LOCK)]


def _with_pip(target: Path) -> list[str]:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--python-version", PYTHON_VERSION, "--implementation", "cp"]
    for abi in ("cp" + PYTHON_VERSION.replace(".", ""), "abi3", "none"):
        command += ["--abi", abi]
    for platform in PIP_PLATFORMS:
        command += ["--platform", platform]
    return [*command, *_what(target, LOCK)]


def _what(target: Path, lock: Path) -> list[str]:
    options = ["--target", str(target), "--requirement", str(lock), "--require-hashes", "--no-deps"]
    return [*options, "--only-binary", ":all:"]


def _check_size(tree: Path) -> None:
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    if size > UNZIPPED_LIMIT_BYTES:
        raise BundleError(f"the layer has {size} bytes; Lambda takes {UNZIPPED_LIMIT_BYTES} with the function's own")


def write_zip(tree: Path, target: Path) -> None:
    """Zip the tree so that the same files give the same bytes."""
    draft = target.with_suffix(f".{os.getpid()}.draft")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(tree.rglob("*")):
            if path.is_file() and "bin" not in path.relative_to(tree).parts[1:2]:
                entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
    draft.rename(target)
