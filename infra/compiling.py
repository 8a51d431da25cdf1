"""Byte code for Lambda's Python: its folders can't be written there, so that each start would compile anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHON_VERSION = "3.13"
RULES = Path(__file__)
_VERSION_OF = "import sys; print('.'.join(map(str, sys.version_info[:2])))"


class CompileError(Exception):
    """The sources can't be compiled."""


@cache
def compiler() -> str | None:
    """A Python of Lambda's version on this machine; None where there is none, and sources are deployed alone."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = (
        sys.executable,
        str(ROOT / ".venv313" / "bin" / "python"),
        shutil.which(f"python{PYTHON_VERSION}"),
        *sorted(map(str, pyenv.glob(f"{PYTHON_VERSION}.*/bin/python"))),  # where setup looks for it too
    )
    return next((each for each in candidates if each and version_of(each) == PYTHON_VERSION), None)


def version_of(python: str) -> str:
    """As 3.13; empty where it doesn't run."""
    try:
        result = subprocess.run([python, "-c", _VERSION_OF], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return result.stdout.strip()


def compile_all(python: str, folder: Path, installed: str, *, keep_sources: bool) -> None:
    """Compile a folder that will stand at `installed`. Raises CompileError.

    Without sources a module is loaded from beside where its source was; tracebacks then have no lines of text.
    """
    command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", installed, *([] if keep_sources else ["-b"]), str(folder)]
    result = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise CompileError((result.stdout + result.stderr).strip()[-1000:])
    if not keep_sources:
        for source in folder.rglob("*.py"):
            source.unlink()
