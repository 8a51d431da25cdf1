"""The files of the console's page."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/console.css": ("console.css", "text/css; charset=utf-8"),
    "/console.js": ("console.js", "text/javascript; charset=utf-8"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """A file with its media type."""

    content: bytes
    media_type: str


def page(path: str) -> Page | None:
    """The file that stands for a path; None when there is none."""
    found = FILES.get(path)
    if found is None:
        return None
    name, media_type = found
    return Page(resources.files(__package__).joinpath("pages", name).read_bytes(), media_type)
