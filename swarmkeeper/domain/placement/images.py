"""Images of a node: what affinities compare, and whether a request's image is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from swarmkeeper.domain.model import Image

DEFAULT_TAG = "latest"
DOCKER_HUB = ("docker.io/library/", "docker.io/")


def repository_of(tag: str) -> str:
    """The repository of `repository:tag` or `repository@digest`; a port of the registry is part of it."""
    if "@" in tag:
        return tag.partition("@")[0]
    repository, colon, last = tag.rpartition(":")
    return repository if colon and "/" not in last else tag


def image_texts(images: Iterable[Image]) -> Iterator[str]:
    """What an `image` affinity compares: each image's id, tags, and the tags' repositories."""
    for image in images:
        yield image.id
        yield from image.tags
        for tag in image.tags:
            yield repository_of(tag)


def names_of(image: Image) -> tuple[str, ...]:
    """The references in their full form under which a node holds the image."""
    return (image.id, *map(full_reference, image.tags))


def full_reference(reference: str) -> str:
    """A reference as engines list it: Docker Hub's prefixes left out, `latest` where no tag or digest is given.

    An id (`sha256:…`) stays as it is. "" stays "", which no image is called.
    """
    if not reference or reference.startswith("sha256:"):
        return reference
    for prefix in DOCKER_HUB:
        if reference.startswith(prefix):
            reference = reference.removeprefix(prefix)
            break
    tagged = "@" in reference or repository_of(reference) != reference
    return reference if tagged else f"{reference}:{DEFAULT_TAG}"


def is_held(reference: str, images: Iterable[Image]) -> bool:
    """Whether one of the images is what the reference names."""
    wanted = full_reference(reference)
    return bool(wanted) and any(wanted in names_of(image) for image in images)
