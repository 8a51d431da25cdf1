"""Placement's decisions as machine code: mypyc makes C of their modules, Zig's compiler makes libraries of that.

The sources are the same and stay beside it: a Python that nothing was compiled for interprets them.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TypedDict

from infra import compiling
from infra.drafts import drafted, forget_old
from infra.packages import BundleError, install_here, names, pinned

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "native"
PACKAGE = Path("swarmkeeper/domain/placement")
INTERPRETED = frozenset({"__init__.py", "reasons.py"})
"""Packages have nothing to compile, and mypyc drops docstrings, of which the API's description tells Reason's."""
READ = Path("swarmkeeper/domain")
"""What the modules import, so that their types are known."""
GROUP = "swarmkeeper_placement"
LIBRARY = f"{GROUP}__mypyc"
"""Holds the code of all modules; each has a small library of its own that leads to it."""
LOCK = ROOT / "requirements" / "native.txt"
DRIVER = ROOT / "infra" / "mypyc_driver.py"
COMPILER = "ziglang"
GLIBC = "2.28"
"""Oldest C library that the result runs with; Lambda's python3.13 has 2.34."""
LAMBDAS_MACHINE = "aarch64"
MACHINES = ("aarch64", "x86_64")
CACHES = {name: str(BUILD / "zig-cache") for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")}
FLAGS = ("-shared", "-fPIC", "-O2", "-g0", "-s", "-w")


class Extension(TypedDict):
    """What the driver tells of one library."""

    name: str
    sources: list[str]
    include: list[str]


@dataclass(frozen=True, slots=True)
class Target:
    """What is compiled for: the C interface of a Python of this machine, and a processor."""

    python: str
    version: str
    """As 3.13."""
    machine: str

    @property
    def suffix(self) -> str:
        return f".cpython-{self.version.replace('.', '')}-{self.machine}-linux-gnu.so"

    def key(self) -> str:
        """Stands for the sources, how they are compiled, and what for."""
        rules = (LOCK, DRIVER, Path(__file__))
        content = b"".join(path.read_bytes() for path in (*(ROOT / module for module in modules()), *rules))
        return hashlib.sha256(content + self.suffix.encode()).hexdigest()[:16]

    def folder(self) -> Path:
        """Where the libraries are or will be."""
        return BUILD / self.suffix.strip(".") / self.key()


def lambdas() -> Target | None:
    """Lambda's machine; None where there is no Python of its version, and sources are deployed alone."""
    python = compiling.compiler()
    return Target(python, compiling.PYTHON_VERSION, LAMBDAS_MACHINE) if python and has_headers(python) else None


def of_host(python: str) -> Target | None:
    """A Python of this machine; None where it can't be compiled for."""
    if not _is_known_machine() or not has_headers(python):
        return None
    return Target(python, compiling.version_of(python), platform.machine())


def of_this_python() -> Target | None:
    """The Python that runs this, headers or not: what asks has to start quickly."""
    if not _is_known_machine() or sys.implementation.name != "cpython":
        return None
    return Target(sys.executable, "{}.{}".format(*sys.version_info), platform.machine())


def _is_known_machine() -> bool:
    return sys.platform == "linux" and platform.libc_ver()[0] == "glibc" and platform.machine() in MACHINES


def modules() -> list[Path]:
    """The sources, relative to the root."""
    return sorted(path.relative_to(ROOT) for path in (ROOT / PACKAGE).rglob("*.py") if path.name not in INTERPRETED)


def put(target: Target, tree: Path) -> None:
    """Put the libraries beside those of the sources that the tree has. Raises BundleError."""
    for library in libraries(target):
        relative = library.relative_to(target.folder())
        if relative.name.startswith(LIBRARY) or (tree / relative).with_name(_stem(library) + ".py").exists():
            shutil.copy2(library, tree / relative)


def libraries(target: Target) -> Iterator[Path]:
    """All files, the one with the code first; they are built if need be. Raises BundleError."""
    folder = target.folder()
    if not folder.exists():
        with drafted(folder) as draft:
            _build(target, draft)
        forget_old(folder)
    yield folder / (LIBRARY + target.suffix)
    yield from sorted((folder / PACKAGE).rglob(f"*{target.suffix}"))


def _stem(library: Path) -> str:
    return library.name.partition(".")[0]


def _build(target: Target, draft: Path) -> None:
    work = draft.parent / "work"
    shutil.copytree(ROOT / READ, work / READ, ignore=shutil.ignore_patterns("__pycache__"))
    (work / "swarmkeeper" / "__init__.py").touch()
    extensions = _c_of_the_modules(target, work)
    folders = [_include(target.python), "c", *chain.from_iterable(each["include"] for each in extensions)]
    command = [str(_zig(target)), "cc", "-target", f"{target.machine}-linux-gnu.{GLIBC}", *FLAGS]
    command += [f"-I{folder}" for folder in dict.fromkeys(folders)]

    def compile_one(extension: Extension) -> None:
        output = draft / (extension["name"].replace(".", "/") + target.suffix)
        output.parent.mkdir(parents=True, exist_ok=True)
        _run([*command, "-o", str(output), *extension["sources"]], work, CACHES)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, extensions))


def _c_of_the_modules(target: Target, work: Path) -> list[Extension]:
    command = [target.python, str(DRIVER), GROUP, target.suffix, *map(str, modules())]
    tools = _tools(names(LOCK) - {COMPILER}, target.version, target.python)
    told = _run(command, work, {"PYTHONPATH": str(tools)})
    extensions: list[Extension] = json.loads(told.splitlines()[-1])
    return extensions


def _zig(target: Target) -> Path:
    return _tools(frozenset({COMPILER}), "zig", target.python) / COMPILER / "zig"


def _tools(packages: frozenset[str], name: str, python: str) -> Path:
    """The folder of these packages, installed once for each state of the lock. Raises BundleError."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    folder = BUILD / "tools" / name / digest
    if not folder.exists():
        with drafted(folder) as draft:
            lock = draft.parent / "lock.txt"
            lock.write_text(pinned(LOCK, packages), encoding="utf-8")
            install_here(draft, Path(python), lock)
        forget_old(folder)
    return folder


@cache
def has_headers(python: str) -> bool:
    """Whether programs can be compiled against this Python: distributions have the headers in a package of its own."""
    return Path(_include(python), "Python.h").exists()


@cache
def _include(python: str) -> str:
    return _run([python, "-c", "import sysconfig; print(sysconfig.get_paths()['include'])"], ROOT, {}).strip()


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    result = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise BundleError(f"{Path(command[0]).name} failed: {(result.stdout + result.stderr).strip()[-2000:]}")
    return result.stdout


def main() -> None:
    """Compile for this Python, and for those that functions run on here and in Lambda; what is there is left alone."""
    here = of_host(sys.executable)
    functions = compiling.compiler()
    targets = (here, of_host(functions) if functions else None, lambdas())
    missing = [each for each in dict.fromkeys(targets) if each is not None and not each.folder().exists()]
    for target in missing:
        print(f"compiling placement for Python {target.version} on {target.machine}", flush=True)
        _zig(target)  # once, before several are compiled side by side
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda target: list(libraries(target)), missing))
    if here is None:
        print(f"placement is interpreted here: {sys.executable} has no headers, or nothing is known of this machine")


if __name__ == "__main__":
    main()
