"""The engine's own client: it knows the engine (DOCKER_HOST), the log-ins and the builder that are set up here."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol


class DockerError(Exception):
    """The client failed; the text is what it said."""


class Docker(Protocol):
    """Runs `docker` with arguments."""

    def __call__(self, *arguments: str, cwd: Path | None = None) -> str:
        """Its standard output without the last line's end; raises DockerError when it fails."""
        ...


def docker(*arguments: str, cwd: Path | None = None) -> str:
    """Run the client that is on PATH."""
    try:
        ran = subprocess.run(
            ["docker", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=cwd
        )
    except FileNotFoundError as error:
        raise DockerError("there is no docker here: install Docker's client") from error
    if ran.returncode:
        raise DockerError(f"docker {arguments[0]}: {(ran.stderr.strip() or ran.stdout.strip())[-2000:]}")
    return ran.stdout.strip()
