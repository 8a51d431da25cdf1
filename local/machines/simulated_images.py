"""Image references and the registry that simulated nodes pull from, and save containers' layers to."""

from __future__ import annotations

import hashlib

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"
SNAPSHOTS = "/snapshots/"


def full_reference(image: str) -> str:
    """The reference with registry and tag spelled out, as Docker completes it: `web` is `docker.io/library/web:latest`.

    With a digest, a tag beside it means nothing.
    """
    name, _, digest = image.partition("@")
    head, slash, last = name.rpartition("/")
    repository, _, tag = last.partition(":")
    path = _with_registry(f"{head}{slash}{repository}")
    return f"{path}@{digest}" if digest else f"{path}:{tag or DEFAULT_TAG}"


def _with_registry(path: str) -> str:
    first, slash, _ = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return path
    return f"{DEFAULT_REGISTRY}/{path}" if slash else f"{DEFAULT_REGISTRY}/library/{path}"


def image_id(reference: str) -> str:
    """The id of the image that a reference, spelled out, names."""
    return f"sha256:{hashlib.sha256(reference.encode()).hexdigest()}"


class SimulatedRegistry:
    """Holds every image except those whose reference, as written, begins like one of `nonexistent`.

    Of snapshots it holds those that were pushed, by digest, with what stands in each of their layers.
    """

    def __init__(self, nonexistent: tuple[str, ...] = ()) -> None:
        self._nonexistent = nonexistent
        self._pushed: dict[str, tuple[tuple[str, ...], ...]] = {}

    def holds(self, image: str) -> bool:
        is_one = SNAPSHOTS not in image or full_reference(image) in self._pushed
        return is_one and not image.startswith(self._nonexistent)

    def layers(self, image: str) -> tuple[tuple[str, ...], ...]:
        """What was saved in the image's layers; () for images from elsewhere."""
        return self._pushed.get(full_reference(image), ())

    def push(self, image: str, layers: tuple[tuple[str, ...], ...]) -> str:
        """Keep it; returns its digest."""
        digest = f"sha256:{hashlib.sha256(repr((image, layers)).encode()).hexdigest()}"
        self._pushed[f"{image.rpartition(':')[0]}@{digest}"] = layers
        return digest
