"""Builds an image, tags it for a registry and pushes it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from swarmkeeper.cli.images.catalogue import Definition
from swarmkeeper.cli.images.docker import Docker, DockerError

_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})")


def build(docker: Docker, images: Path, wanted: Definition, *, base: str, tag: str, revision: str) -> str:
    """Build the image under a tag; its id."""
    docker(
        "build", "--quiet", "--file", f"{wanted.name}/Dockerfile",
        "--build-arg", f"BASE={base}", "--build-arg", f"REVISION={revision}",
        "--tag", tag, ".", cwd=images,
    )  # fmt: skip
    return docker("image", "inspect", "--format", "{{.Id}}", tag)


def load(docker: Docker, archive: Path, reference: str) -> None:
    """Put an archive's images into the engine, unless it has the one that is wanted."""
    try:
        docker("image", "inspect", "--format", "{{.Id}}", reference)
    except DockerError:
        docker("load", "--quiet", "--input", str(archive))


def have(docker: Docker, reference: str) -> None:
    """Pull an image unless the engine has it."""
    try:
        docker("image", "inspect", "--format", "{{.Id}}", reference)
    except DockerError:
        docker("pull", "--quiet", reference)


def push(docker: Docker, image: str, target: str) -> str:
    """Push a local image under another reference; that reference by digest, as requests should name it."""
    docker("tag", image, target)
    said = docker("push", target)
    found = _DIGEST.search(said)
    if found is None:
        raise DockerError(f"docker push: no digest in what it said: {said[-300:]}")
    return f"{repository_of(target)}@{found.group(1)}"


def repository_of(reference: str) -> str:
    """A reference without its tag; a registry's port stays."""
    head, slash, last = reference.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def size_bytes(docker: Docker, reference: str) -> int:
    """The size of an image's layers on the engine."""
    return int(json.loads(docker("image", "inspect", reference))[0]["Size"])
