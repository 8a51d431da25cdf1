"""What functions print: a file for each function, and every line also to whoever reads metrics in it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO


class FunctionLogs:
    """Appends to `<directory>/<function>.log`; thread-safe."""

    def __init__(self, directory: Path, on_line: Callable[[str], object]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._on_line = on_line
        self._files: dict[str, TextIO] = {}
        self._lock = threading.Lock()
        self._closed = False

    def write(self, function: str, line: str) -> None:
        """Keep a line that a function printed, and pass it on."""
        self.note(function, line)
        self._on_line(line)

    def note(self, function: str, line: str) -> None:
        """Keep a line of the platform's own."""
        with self._lock:
            if self._closed:  # an invocation that its caller gave up on ends after all
                with self._opened(function) as file:
                    file.write(line + "\n")
                return
            if function not in self._files:
                self._files[function] = self._opened(function)
            self._files[function].write(line + "\n")

    def path(self, function: str) -> Path:
        """Where a function's lines are."""
        return self._directory / f"{function}.log"

    def close(self) -> None:
        """Close the files; a line that still comes is kept, and its file closed at once."""
        with self._lock:
            self._closed = True
            for file in self._files.values():
                file.close()
            self._files.clear()

    def _opened(self, function: str) -> TextIO:
        return self.path(function).open("a", encoding="utf-8", buffering=1)
