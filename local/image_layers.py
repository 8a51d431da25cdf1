"""Layers made of programs that are installed here: the binary, the libraries it loads, and busybox."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from local.machines import MachineError
from local.machines.processes import SYSTEM_PATH, call

_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x[0-9a-f]+\)")
_ACCOUNTS = """root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
"""
_GROUPS = "root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\nnobody:x:65534:\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies at a path of a layer: a file's bytes, or a symbolic link's target."""

    content: bytes = b""
    target: str = ""
    mode: int = 0o644


@dataclass(slots=True)
class Layer:
    """A file tree that becomes one layer. Paths are absolute; parent folders come by themselves."""

    entries: dict[str, Entry] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=lambda: {"/tmp": 0o1777, "/run": 0o755})  # noqa: S108 - inside an image
    """Empty folders -> their mode."""

    def add_text(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a text file."""
        self.entries[path] = Entry(text.encode(), mode=mode)

    def add_program(self, program: str) -> str:
        """Put an installed program with the libraries that it loads; its path.

        Raises MachineError when it isn't installed in a system folder.
        """
        path = installed(program)
        for needed in (path, *libraries_of(path)):
            self.entries[needed] = Entry(Path(needed).read_bytes(), mode=0o755)
        return path

    def add_busybox(self) -> None:
        """Put busybox with a link for each command that it knows, and the accounts that programs look up."""
        busybox = installed("busybox")
        self.add_program("busybox")
        for applet in call([busybox, "--list"]).split():
            if applet != "busybox":
                self.entries.setdefault(f"/bin/{applet}", Entry(target=busybox))
        self.add_text("/etc/passwd", _ACCOUNTS)
        self.add_text("/etc/group", _GROUPS)

    def to_tar(self) -> bytes:
        """The layer's tar: the same bytes for the same content, whenever and wherever it is made."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for path, mode in sorted(self._all_folders().items()):
                tar.addfile(_header(path, tarfile.DIRTYPE, mode))
            for path, entry in sorted(self.entries.items()):
                tar.addfile(*_member(path, entry))
        return archive.getvalue()

    def _all_folders(self) -> dict[str, int]:
        parents = {str(up) for path in (*self.entries, *self.folders) for up in PurePosixPath(path).parents}
        return {path: 0o755 for path in parents if path != "/"} | self.folders


def installed(program: str) -> str:
    """Where a program of the system's packages lies; raises MachineError when it isn't installed."""
    found = shutil.which(program, path=SYSTEM_PATH)
    if found is None:
        raise MachineError(f"{program} isn't installed")
    return found


def libraries_of(program: str) -> tuple[str, ...]:
    """The shared libraries a program loads, its loader included; none for a static one."""
    # ldd fails for a static program, which needs nothing.
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False, env={"PATH": SYSTEM_PATH})
    if "not found" in said.stdout:
        raise MachineError(f"{program} misses a library: {said.stdout.strip()}")
    return tuple(sorted(set(_LIBRARY.findall(said.stdout))))


def _header(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(path.lstrip("/"))
    header.type, header.mode, header.mtime = kind, mode, 0
    return header


def _member(path: str, entry: Entry) -> tuple[tarfile.TarInfo, io.BytesIO | None]:
    if entry.target:
        header = _header(path, tarfile.SYMTYPE, 0o777)
        header.linkname = entry.target
        return header, None
    header = _header(path, tarfile.REGTYPE, entry.mode)
    header.size = len(entry.content)
    return header, io.BytesIO(entry.content)
