"""Whether an image does what the fleet needs: tried on an engine, by what the image itself says of its test."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from swarmkeeper.cli.images.docker import Docker

SMOKE_LABEL = "swarmkeeper.smoke"
"""The command that runs code inside the image and fails when anything is amiss."""
NEEDED_LABELS = tuple(f"org.opencontainers.image.{each}" for each in ("title", "description", "revision", "base.name"))
_KILLED = 137
_STOP_S = 10
# As tenants' containers have it: nothing beyond what the image brings.
_CONFINED = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "128", "--memory", "512m")


class Failed(Exception):
    """The image is not fit; the text says why."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long an image may take to become healthy, and the clock that counts it."""

    limit_s: float = 60.0
    pause: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic


def try_image(docker: Docker, reference: str, waiting: Waiting | None = None) -> str:
    """What the image's smoke test said; raises Failed for the first thing amiss, DockerError for docker's own."""
    config = json.loads(docker("image", "inspect", reference))[0]["Config"]
    _check_config(config)
    said = docker(
        "run", "--rm", "--network", "none", *_CONFINED, reference, *shlex.split(config["Labels"][SMOKE_LABEL])
    )
    if not said.startswith("ok "):
        raise Failed(f"its smoke test said {said[-300:]!r} instead of ok")
    _check_default(docker, reference, waiting or Waiting())
    return said


def _check_config(config: Mapping[str, Any]) -> None:
    labels = config["Labels"] or {}
    if missing := [label for label in (*NEEDED_LABELS, SMOKE_LABEL) if not labels.get(label)]:
        raise Failed(f"it has no label {', '.join(missing)}")
    if not config.get("Healthcheck"):
        raise Failed("it has no health check")
    if config["User"].partition(":")[0] in ("", "0", "root"):
        raise Failed("it runs as root")


def _check_default(docker: Docker, reference: str, waiting: Waiting) -> None:
    """Run it as it comes: it becomes healthy, isn't root, and ends when it is told to."""
    with _running(docker, reference) as container:
        _wait_until_healthy(docker, container, waiting)
        if docker("exec", container, "id", "-u") == "0":
            raise Failed("its process runs as root")
        docker("stop", "--time", str(_STOP_S), container)
        if docker("inspect", "--format", "{{.State.ExitCode}}", container) == str(_KILLED):
            raise Failed(f"it did not end within {_STOP_S} s of being told to")


@contextmanager
def _running(docker: Docker, reference: str) -> Iterator[str]:
    container = docker("run", "--detach", "--health-interval", "1s", *_CONFINED, reference)
    try:
        yield container
    finally:
        docker("rm", "--force", "--volumes", container)


def _wait_until_healthy(docker: Docker, container: str, waiting: Waiting) -> None:
    deadline = waiting.now() + waiting.limit_s
    while (state := json.loads(docker("inspect", container))[0]["State"])["Health"]["Status"] != "healthy":
        if not state["Running"]:
            raise Failed(f"it ended by itself, with exit code {state['ExitCode']}: {docker('logs', container)[-300:]}")
        if waiting.now() > deadline:
            last = (state["Health"]["Log"] or [{"Output": "never checked"}])[-1]["Output"]
            raise Failed(f"it is not healthy after {waiting.limit_s:.0f} s: {last.strip()[-300:]}")
        waiting.pause(0.2)
