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
import sysconfig
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

SETTING = "SWARMKEEPER_NATIVE"
"""An environment variable: with 0 nothing is compiled, deployed or used; 1 makes it an error when it can't be used."""
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
LACKS_HEADERS = 3
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
        """Stands for the sources, whatever their types are read from, how they are compiled, and what for."""
        read = sorted((ROOT / READ).rglob("*.py"))
        named = [(path.relative_to(ROOT).as_posix(), path) for path in read]
        named += [(path.name, path) for path in (LOCK, DRIVER, Path(__file__))]
        content = b"".join(name.encode() + b"\0" + path.read_bytes() + b"\0" for name, path in named)
        return hashlib.sha256(content + self.suffix.encode()).hexdigest()[:16]

    def folder(self) -> Path:
        """Where the libraries are or will be."""
        return BUILD / self.suffix.strip(".") / self.key()


def lambdas() -> Target | None:
    """Lambda's machine; None where there is no Python of its version to compile for, and sources are deployed alone."""
    python = compiling.compiler()
    if python is None or not _is_wanted() or not has_headers(python):
        return None
    return Target(python, compiling.PYTHON_VERSION, LAMBDAS_MACHINE)


def of_host(python: str) -> Target | None:
    """A Python of this machine; None where it can't be compiled for."""
    if not _is_wanted() or not has_headers(python):
        return None
    return Target(python, compiling.version_of(python), platform.machine())


def of_this_python() -> Target | None:
    """The Python that runs this, headers or not: what asks has to start quickly."""
    if not _is_known_machine():
        return None
    target = Target(sys.executable, "{}.{}".format(*sys.version_info), platform.machine())
    return target if sysconfig.get_config_var("EXT_SUFFIX") == target.suffix else None


def _is_wanted() -> bool:
    return _is_known_machine() and os.environ.get(SETTING) != "0"


def _is_known_machine() -> bool:
    return sys.platform == "linux" and platform.libc_ver()[0] == "glibc" and platform.machine() in MACHINES


def modules() -> list[Path]:
    """The sources, relative to the root."""
    return sorted(path.relative_to(ROOT) for path in (ROOT / PACKAGE).rglob("*.py") if path.name not in INTERPRETED)


def put(target: Target, tree: Path) -> None:
    """Put the libraries beside those of the sources that the tree has. Raises BundleError."""
    folder = target.folder()
    for library in libraries(target):
        relative = library.relative_to(folder)
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
    folders = [
        _include(target.python),
        _as_debian_has_it(target, work),
        "c",
        *chain.from_iterable(each["include"] for each in extensions),
    ]
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


def _as_debian_has_it(target: Target, work: Path) -> str:
    """A folder for the headers' way to what is the machine's own.

    Debian's pyconfig.h includes <MACHINE-linux-gnu/pythonX.Y/pyconfig.h>, from folders that a compiler for another
    machine doesn't look into. What matters of this machine's holds for the others: sizes are the same.
    """
    include = Path(_include(target.python))
    link = work / "include" / f"{target.machine}-linux-gnu" / include.name
    link.parent.mkdir(parents=True)
    link.symlink_to(_machines_own(include))
    return str(link.parents[1])


def _machines_own(include: Path) -> Path:
    return include.parent / f"{platform.machine()}-linux-gnu" / include.name


@cache
def has_headers(python: str) -> bool:
    """Whether programs can be compiled against this Python: distributions have the headers in a package of its own."""
    include = Path(_include(python))
    configuration = include / "pyconfig.h"
    if not (include / "Python.h").exists() or not configuration.exists():
        return False
    is_elsewhere = f"<{platform.machine()}-linux-gnu/" in configuration.read_text(encoding="utf-8")
    return not is_elsewhere or (_machines_own(include) / "pyconfig.h").exists()


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


def main() -> int:
    """Compile for this Python, and for those that functions run on here and in Lambda; what is there is left alone.

    Returns the exit status: 0, 1 where it failed, and LACKS_HEADERS.
    """
    functions = compiling.compiler()
    targets = (of_host(sys.executable), of_host(functions) if functions else None, lambdas())
    missing = [each for each in dict.fromkeys(targets) if each is not None and not each.folder().exists()]
    try:
        for target in missing:
            print(f"compiling placement for Python {target.version} on {target.machine}", flush=True)
            _zig(target)  # once, before several are compiled side by side
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda target: list(libraries(target)), missing))
    except BundleError as error:
        print(f"{error}\nplacement can't be compiled; with {SETTING}=0 all does without", file=sys.stderr)
        return 1
    return LACKS_HEADERS if _is_wanted() and not has_headers(sys.executable) else 0


if __name__ == "__main__":
    sys.exit(main())
