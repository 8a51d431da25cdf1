"""Image references and the registry that simulated nodes pull from."""

from __future__ import annotations

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"


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


class SimulatedRegistry:
    """Holds every image except those whose reference, as written, begins like one of `nonexistent`."""

    def __init__(self, nonexistent: tuple[str, ...] = ()) -> None:
        self._nonexistent = nonexistent

    def holds(self, image: str) -> bool:
        return not image.startswith(self._nonexistent)
