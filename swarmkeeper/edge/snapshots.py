"""What asks that a move carries a container's own layer over, and what keeps others away from what was saved."""

from __future__ import annotations

import re
from collections.abc import Mapping

from swarmkeeper.domain.model import SNAPSHOT_LABEL
from swarmkeeper.errors import InvalidInput

FOLDER = "snapshots"
"""The registry's repositories of snapshots begin so (services/layers.py)."""
IMAGE_ID = re.compile(r"(sha256:)?[0-9a-f]+")
"""An engine takes this for the beginning of an image's id, whoever brought that image to the node."""


def wants_snapshots(labels: Mapping[str, str]) -> bool:
    """Whether the label is true. Raises InvalidInput where it is neither true nor false."""
    marked = labels.get(SNAPSHOT_LABEL, "false")
    if marked not in ("true", "false"):
        raise InvalidInput(f"Labels.{SNAPSHOT_LABEL}", "is neither true nor false")
    return marked == "true"


def check_image(image: str, registry: str) -> None:
    """Refuse what could be somebody's snapshot: nodes pull all of them with one log-in. Raises InvalidInput."""
    if image.lower().startswith(f"{registry}/{FOLDER}/"):
        raise InvalidInput("Image", f"{registry}/{FOLDER} holds the layers of moved containers")
    if IMAGE_ID.fullmatch(image):
        raise InvalidInput("Image", "could be the id of another's image: give it with its tag, such as cafe:latest")
