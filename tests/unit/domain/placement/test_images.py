from __future__ import annotations

import pytest

from swarmkeeper.domain.model import Image
from swarmkeeper.domain.placement.images import is_held, repository_of


@pytest.mark.parametrize(
    ("tag", "repository"),
    [
        ("nginx:1.25", "nginx"),
        ("nginx", "nginx"),
        ("registry.example:5000/web:2", "registry.example:5000/web"),
        ("registry.example:5000/web", "registry.example:5000/web"),
        ("web@sha256:aa", "web"),
        ("<none>:<none>", "<none>"),
    ],
)
def test_the_repository_is_what_stands_before_tag_or_digest(tag: str, repository: str) -> None:
    assert repository_of(tag) == repository


@pytest.mark.parametrize(
    ("reference", "held"),
    [
        *(("nginx", True), ("nginx:latest", True), ("library/nginx", False), ("docker.io/nginx", True)),
        *(("nginx:1", False), ("web:2", True), ("web", False), ("sha256:aa", True), ("sha256:bb", False), ("", False)),
    ],
)
def test_an_image_is_held_under_its_tags_and_its_id(reference: str, held: bool) -> None:
    images = (Image("sha256:aa", ("docker.io/library/nginx:latest", "web:2")), Image("sha256:cc"))
    assert is_held(reference, images) is held
