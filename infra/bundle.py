"""What goes into the functions: their own code, and third-party code as one layer built from the lock."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from infra import compiling, native, slimming
from infra.drafts import drafted, forget_old
from infra.packages import UV, BundleError, install, install_here, what
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
_EPOCH = (1980, 1, 1, 0, 0, 0)


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
    machine_code = native.lambdas()
    target = BUILD / "functions" / name / _key(texts + (machine_code.key() if machine_code else "").encode())
    if not target.exists():
        with drafted(target) as draft:
            for path, text in sources.items():
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
                (draft / path).write_bytes(text)
            _compile(draft, "/var/task", keep_sources=True)
            if machine_code is not None:
                native.put(machine_code, draft)
        forget_old(target)
    return target


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
            install(tree / "python", (_with_uv, _with_pip))
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


def _with_uv(target: Path) -> list[str]:
    return [*UV, "--python-version", PYTHON_VERSION, "--python-platform", PLATFORM, *what(target, LOCK)]


def _with_pip(target: Path) -> list[str]:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--python-version", PYTHON_VERSION, "--implementation", "cp"]
    for abi in ("cp" + PYTHON_VERSION.replace(".", ""), "abi3", "none"):
        command += ["--abi", abi]
    for platform in PIP_PLATFORMS:
        command += ["--platform", platform]
    return [*command, *what(target, LOCK)]


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
