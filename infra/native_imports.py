"""Lets a process import placement as machine code, where that was built of the very sources that stand here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from infra import native


class NotBuiltError(Exception):
    """There is no machine code of these sources for this Python, or their modules are loaded already."""


class _Libraries(MetaPathFinder):
    def __init__(self, libraries: dict[str, Path]) -> None:
        self._libraries = libraries

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        library = self._libraries.get(fullname)
        return None if library is None else spec_from_file_location(fullname, library)


def use(environment: str = "") -> bool:
    """Whether placement is machine code in this process from now on; `environment` is what the setting says.

    Raises NotBuiltError where the setting is 1 and it can't be.
    """
    if environment == "0":
        return False
    target = native.of_this_python()
    libraries = _libraries_of(target) if target else {}
    if libraries and not libraries.keys() & sys.modules.keys():
        sys.meta_path.insert(0, _Libraries(libraries))
        return True
    if environment == "1":
        raise NotBuiltError("`make setup` compiles placement for this Python; it is to be used before it is imported")
    return False


def use_as_set() -> bool:
    """The same, as the environment has it."""
    return use(os.environ.get(native.SETTING, ""))


def _libraries_of(target: native.Target) -> dict[str, Path]:
    """By name of the module."""
    folder = target.folder()
    files = (path.relative_to(folder) for path in folder.rglob(f"*{target.suffix}"))
    return {file.as_posix().removesuffix(target.suffix).replace("/", "."): folder / file for file in files}
