"""Functions as Lambda has them: each in the folder that its zip was unpacked into, the layer beside them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from infra.host import Host, unpack, unpack_function
from local.aws.invocations import Isolation


class Unpacked:
    """What a deployment's functions run from, in a folder of its own."""

    def __init__(self, host: Host, folder: Path) -> None:
        self._host = host
        self._folder = folder

    @property
    def isolation(self) -> Isolation:
        return Isolation(self._host.python, self._host.version, self._host.runtime)

    @cached_property
    def layer(self) -> Path:
        """The layer's import folder: this machine's build of the lock that the template's layer is built from."""
        return unpack(self._host.layer, self._folder / "opt") / "python"

    def task(self, name: str, code: Path) -> Path:
        """The function's own folder, made of its code."""
        return unpack_function(code, self._folder / name / "task", self._host.python)
