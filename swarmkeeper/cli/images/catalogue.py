"""What images there are: each is a folder below images/ with a Dockerfile and a smoke test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BASE = re.compile(r"^ARG BASE=(\S+)$", re.MULTILINE)
_TITLE = re.compile(r'org\.opencontainers\.image\.title="([^"]+)"')
_DESCRIPTION = re.compile(r'org\.opencontainers\.image\.description="([^"]+)"')
STAND_IN = "stand-in"
"""The file that lists the Debian packages which a base can be made of; without it nothing here runs the image."""


class UnknownImage(Exception):
    """There is no such image."""


@dataclass(frozen=True, slots=True)
class Definition:
    """An image as its folder defines it."""

    name: str
    title: str
    description: str
    base: str
    """What it is built from unless told otherwise: the language's official image."""
    has_stand_in: bool
    """Whether a base made of Debian's packages can take that one's place."""

    @property
    def reference(self) -> str:
        """What it is called on the engine that built it."""
        return f"swarmkeeper/{self.name}:latest"


def definitions(images: Path) -> dict[str, Definition]:
    """Every image of the folder by name; those of nodes (join, router) have no smoke test and aren't among them."""
    found = sorted({smoke.parent for smoke in images.glob("*/smoke.*")})
    return {folder.name: _read(folder) for folder in found}


def definition(images: Path, name: str) -> Definition:
    """The image of that name; raises UnknownImage with the names that there are."""
    known = definitions(images)
    if name not in known:
        raise UnknownImage(f"no image {name}: there are {', '.join(known)}")
    return known[name]


def _read(folder: Path) -> Definition:
    text = (folder / "Dockerfile").read_text(encoding="utf-8")
    base, title, description = (_only(pattern, text, folder.name) for pattern in (_BASE, _TITLE, _DESCRIPTION))
    return Definition(folder.name, title, description, base, (folder / STAND_IN).exists())


def _only(pattern: re.Pattern[str], text: str, name: str) -> str:
    found = pattern.search(text)
    if found is None:
        raise UnknownImage(f"images/{name}/Dockerfile has nothing like {pattern.pattern}")
    return found.group(1)
