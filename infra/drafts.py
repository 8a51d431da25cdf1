"""Folders that are made once, whoever else makes them at the same time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEPT_S = 86_400.0


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


def forget_old(newest: Path) -> None:
    """Remove what was made of the sources of days ago; younger folders may be read by others."""
    for folder in newest.parent.iterdir():
        if folder.stat().st_mtime < newest.stat().st_mtime - KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)
