"""Garbage collection of the fleet's registry, by the script beside its compose project."""

from __future__ import annotations

import subprocess
from pathlib import Path

from swarmkeeper.cli.images.docker import DockerError


def collect(project: Path, *, untagged: bool) -> str:
    """Run it where the registry runs; what it said. Raises DockerError when it fails."""
    command = ["sh", str(project / "gc.sh"), *(["--untagged"] if untagged else [])]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise DockerError(f"the collection failed: {ran.stderr.strip()[-2000:]}")
    return ran.stdout.strip()
