"""The documentation's site is built from the documents as they are, strictly, and needs nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.docs_site import linked_outside, relinked, repository_path, site_path, spaced, title_of
from tests.unit.docs.shell import ROOT

LOADED = re.compile(r"""(?:<(?:script|img|iframe)[^>]*\ssrc=|<link[^>]*\shref=|url\()["']?(https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the documents of this checkout, with every warning an error and no way to the network."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    offline = {
        **os.environ,
        "NO_MKDOCS_2_WARNING": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    done = subprocess.run(command, cwd=ROOT, env=offline, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_document_and_decision_is_a_page(site: Path) -> None:
    documents = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    assert [str(page) for page in documents if not (site / page).is_file()] == []
    assert {"index.html", "CONTRIBUTING.html", "CHANGELOG.html"} <= {path.name for path in site.iterdir()}
    decisions = (site / "adr" / "index.html").read_text(encoding="utf-8")
    assert all(path.with_suffix(".html").name in decisions for path in (ROOT / "docs" / "adr").glob("*.md"))


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    shown = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert [str(path) for path in shown if LOADED.search(path.read_text(encoding="utf-8"))] == []


def test_every_picture_is_there(site: Path) -> None:
    missing = [
        f"{page.relative_to(site)}: {picture}"
        for page in site.rglob("*.html")
        for picture in re.findall(r'<img[^>]*\ssrc="([^":]+)"', page.read_text(encoding="utf-8"))
        if not (page.parent / picture).is_file()
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("source", "link", "moved"),
    [
        pytest.param("README.md", "docs/scaling.md#guards", "scaling.md#guards", id="from the README"),
        pytest.param("README.md", "docs/adr", "adr/index.md", id="a folder"),
        pytest.param("docs/faq.md", "../CHANGELOG.md", "CHANGELOG.md", id="outside docs"),
        pytest.param("docs/adr/0002-claim-before-acting.md", "../cost.md", "../cost.md", id="as it was"),
        pytest.param("docs/security.md", "../infra/acknowledged.py", "infra/acknowledged.py", id="code"),
        pytest.param("docs/faq.md", "https://example.org/a", "https://example.org/a", id="the web"),
        pytest.param("docs/faq.md", "#choosing", "#choosing", id="the page itself"),
    ],
)
def test_a_link_goes_where_its_target_is_in_the_site(source: str, link: str, moved: str) -> None:
    assert relinked(f"see [it]({link}).", source) == f"see [it]({moved})."


def test_a_file_of_the_site_is_found_in_the_repository_again() -> None:
    for path in ("README.md", "CHANGELOG.md", "docs/faq.md", "docs/adr/0002-claim-before-acting.md", *linked_outside()):
        assert repository_path(site_path(path)) == path


def test_a_list_gets_its_empty_line_and_code_is_left_alone() -> None:
    assert spaced("text:\n- one\n  more\n- two\n") == "text:\n\n- one\n  more\n- two\n"
    assert spaced("text:\n\n    - not a list\n") == "text:\n\n    - not a list\n"


def test_a_title_is_a_pages_first_heading_or_a_files_name() -> None:
    assert title_of(ROOT / "docs" / "concepts.md") == "Concepts"
    assert title_of(ROOT / "docs" / "cost" / "x.json") == "x.json"
