"""Hooks of MkDocs: pages that stand outside docs/, the files that pages link to, and the list of decisions.

The documents are written to be read in the repository, where links go from file to file. The site has docs/ at its
top and the README as its first page; whatever else of the repository is linked to is shipped along.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs/"
FIRST = "README.md"
OUTSIDE = (FIRST, "CONTRIBUTING.md", "CHANGELOG.md")
DECISIONS = "docs/adr"
STYLE = ROOT / "scripts" / "docs_site.css"
LINK = re.compile(r"(\]\(|src=\")([^)\s\"#]*)(#[^)\s\"]*)?(?=[)\"])")
"""A link's or a picture's target, without and with its part."""
ITEM = re.compile(r"(?:[-*+]|\d+\.) ")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name every decision in the navigation."""
    decisions = [f"adr/{path.name}" for path in decision_files()]
    config.nav = [*(config.nav or []), {"Decisions": ["adr/index.md", *decisions]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what stands outside docs/."""
    files.append(File.generated(config, STYLE.name, abs_src_path=str(STYLE)))
    for folder in sorted({DECISIONS, *linked_folders()}):
        files.append(File.generated(config, f"{site_path(folder)}/index.md", content=listing(folder)))
    for path in sorted({*OUTSIDE, *linked_outside()}):
        files.append(File.generated(config, site_path(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links where their targets are in the site."""
    del config, files
    source = repository_path(page.file.src_uri)
    return spaced(relinked(markdown, source) if (ROOT / source).is_file() else markdown)


def decision_files() -> list[Path]:
    """Oldest first."""
    return sorted((ROOT / DECISIONS).glob("*.md"))


def listing(folder: str) -> str:
    """A page for a folder that is linked to: a line for each of its files."""
    about = "Decisions" if folder == DECISIONS else folder.removeprefix(DOCS)
    lines = [f"- [{title_of(path)}]({path.name})" for path in sorted((ROOT / folder).iterdir())]
    return "\n".join([f"# {about}", "", *lines, ""])


def linked_folders() -> set[str]:
    """Folders below docs/ that pages link to, but for docs/ itself."""
    pages = [*OUTSIDE, *(str(path.relative_to(ROOT)) for path in (ROOT / DOCS).rglob("*.md"))]
    found = {target for page in pages for target in targets(page)}
    return {target for target in found if target.startswith(DOCS) and (ROOT / target).is_dir()}


def title_of(path: Path) -> str:
    """A page's first heading; another file's name."""
    if path.suffix != ".md":
        return path.name
    return next(line[2:].strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# "))


def site_path(path: str) -> str:
    """Where a file of the repository is in the site."""
    return "index.md" if path == FIRST else path.removeprefix(DOCS)


def repository_path(site: str) -> str:
    """Where a file of the site is in the repository."""
    if site == "index.md":
        return FIRST
    return site if site in linked_outside() or site in OUTSIDE else DOCS + site


def relinked(markdown: str, source: str) -> str:
    """The text of the file `source` of the repository with its links as the site's."""
    here = PurePosixPath(site_path(source)).parent

    def moved(found: re.Match[str]) -> str:
        target = target_of(found[2], source)
        if target is None:
            return found[0]
        if (ROOT / target).is_dir():
            target = f"{target}/index.md"
        return found[1] + os.path.relpath(site_path(target), here) + (found[3] or "")

    return LINK.sub(moved, markdown)


def target_of(link: str, source: str) -> str | None:
    """The file of the repository that a link of `source` names; None when it is of the page itself or of the web."""
    if not link or ":" in link or link.startswith("/"):
        return None
    return os.path.normpath(PurePosixPath(source).parent / link)


def linked_outside() -> set[str]:
    """Files of the repository, outside docs/, that pages link to, and that those link to."""
    found: set[str] = set()
    waiting = [*OUTSIDE, *(str(path.relative_to(ROOT)) for path in (ROOT / DOCS).rglob("*.md"))]
    while waiting:
        for target in targets(waiting.pop()):
            is_new = target not in found and target not in OUTSIDE
            if is_new and not target.startswith(DOCS) and (ROOT / target).is_file():
                found.add(target)
                waiting += [target] if target.endswith(".md") else []
    return found


def targets(source: str) -> Iterator[str]:
    """What a page of the repository links to."""
    for found in LINK.finditer((ROOT / source).read_text(encoding="utf-8")):
        target = target_of(found[2], source)
        if target is not None:
            yield target


def spaced(markdown: str) -> str:
    """The text with an empty line before each list, which a repository's reader doesn't need and MkDocs does."""
    lines: list[str] = []
    for line in markdown.splitlines():
        before = lines[-1] if lines else ""
        is_text = before[:1].strip() and not before.startswith(("#", "|", "<", "```")) and not ITEM.match(before)
        if ITEM.match(line) and is_text and not _in_item(lines):
            lines.append("")
        lines.append(line)
    return "\n".join(lines) + "\n"


def _in_item(lines: list[str]) -> bool:
    """Whether the last lines are an item that goes on."""
    for line in reversed(lines):
        if not line.strip():
            return False
        if ITEM.match(line):
            return True
    return False
