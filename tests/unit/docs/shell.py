"""The commands that the documents show: in blocks of shell lines, and inline."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")))
CHECKED = frozenset({"swarmkeeper", "make", "aws"})
"""Programs whose commands are held against what there is."""
NOT_RUN = {
    "ansible-playbook": "is played by tests/e2e/test_node_images.py",
    "cat": "a shell's own work",
    "cd": "a shell's own work",
    "cp": "a shell's own work",
    "curl": "needs a deployed fleet",
    "docker": "needs buildx, a registry, and the network",
    "eval": "a shell's own work",
    "export": "a shell's own work",
    "git": "needs the repository's address",
    "jenkins-jobs": "needs a Jenkins; tests/pipeline has it make the jobs",
    "lint.sh": "is run by tests/pipeline",
    "mypy": "is what `make lint` runs",
    "npx": "needs an AWS account",
    "pytest": "is what runs this",
    "python": "are modules of this repository: see test_commands_docs",
    "ruff": "is what `make lint` runs",
}
"""Programs that stand in the documents and are not tried by a test, with the reason."""
MARK = re.compile(r"^<!-- not run: (?P<reason>.+) -->$")
INLINE = re.compile(r"(?<!`)`(?!`)((?:\.venv/bin/)?(?:swarmkeeper|make|aws) [^`]+)`")
ASSIGNED = re.compile(r"^[A-Z_]+=(?:\$\((?P<inner>.*)\)|\S*)(?:\s+|$)")
OPTIONAL = re.compile(r"\[(?P<some>[^\[\]]*)\]")
CHOICE = re.compile(r"(?P<first>[\w/-]+)(?:\|[\w/-]+)+")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a document, in words; `is_whole` when it is meant to be typed, not just named."""

    page: str
    line: int
    words: tuple[str, ...]
    is_whole: bool

    @property
    def program(self) -> str:
        return self.words[0].removeprefix(".venv/bin/")

    @property
    def arguments(self) -> tuple[str, ...]:
        return self.words[1:]

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {' '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that stand apart as code; `reason` when they are marked as not run."""

    line: int
    lines: tuple[str, ...]
    reason: str = ""


def commands(page: str, text: str) -> list[Command]:
    """All of a page, but for those in blocks that are marked."""
    shown = [block for block in blocks(text) if not block.reason and is_shell(block)]
    typed = [Command(page, at, words, is_whole=True) for block in shown for at, words in statements(block)]
    return typed + list(named(page, text))


def named(page: str, text: str) -> Iterator[Command]:
    """Those inside sentences."""
    for found in INLINE.finditer(text):
        for words in split(" ".join(found[1].split())):
            yield Command(page, text.count("\n", 0, found.start()) + 1, words, is_whole=False)


def blocks(text: str) -> Iterator[Block]:
    """Fenced and indented ones, in their order."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        is_fence = lines[at].startswith("```")
        is_indented = lines[at].startswith("    ") and (at == 0 or not lines[at - 1].strip())
        if not is_fence and not is_indented:
            at += 1
            continue
        begin = at + 1 if is_fence else at
        end = begin
        while end < len(lines) and (not lines[end].startswith("```") if is_fence else _goes_on(lines, end)):
            end += 1
        yield Block(begin + 1, tuple(line.removeprefix("    ") for line in lines[begin:end]), _mark(lines[:at]))
        at = end + 1 if is_fence else end


def _goes_on(lines: list[str], at: int) -> bool:
    following = lines[at + 1] if at + 1 < len(lines) else ""
    return lines[at].startswith("    ") or (not lines[at].strip() and following.startswith("    "))


def _mark(before: list[str]) -> str:
    """The reason in the comment that stands last before a block."""
    found = MARK.match(_last(before))
    return found["reason"] if found else ""


def _last(lines: list[str]) -> str:
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def to_run(page: str) -> list[Command]:
    """The commands of the page's blocks that a test runs, in their order: those after `<!-- run -->`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = text.splitlines()
    chosen = [block for block in blocks(text) if _last(lines[: block.line - 1]) == "<!-- run -->"]
    return [Command(page, at, words, is_whole=True) for block in chosen for at, words in statements(block)]


def is_shell(block: Block) -> bool:
    """Whether its first line is a command: of a program that is known here, or an assignment for one."""
    first = next((line for line in block.lines if line.strip() and not line.startswith("#")), "")
    word = first.split()[0] if first.split() else ""
    return word.removeprefix(".venv/bin/") in CHECKED | NOT_RUN.keys() or bool(ASSIGNED.match(first))


def statements(block: Block) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each command with its line, those of a pipe and of `&&` apart."""
    at = 0
    while at < len(block.lines):
        begin, text = at, block.lines[at]
        if text.startswith(" " * 8):  # a remark that goes on
            at += 1
            continue
        while text.rstrip().endswith("\\") or _is_open(text):
            at += 1
            text = text.rstrip().removesuffix("\\") + " " + block.lines[at].strip()
        at += 1
        for words in split(text):
            yield block.line + begin, words


def _is_open(text: str) -> bool:
    """Whether a `$(` or a quote goes on in the next line."""
    return text.count("$(") > text.count(")") or (text.count("'") % 2 == 1 and "#" not in text)


def split(text: str) -> Iterator[tuple[str, ...]]:
    """The commands of one line, without comments, notations such as `[--json]` and `a|b`, and shell's own signs."""
    text = text.strip()
    while found := ASSIGNED.match(text):
        inner, text = found["inner"], text[found.end() :]
        if inner:
            yield from split(inner)
    text = OPTIONAL.sub(lambda some: some["some"], re.split(r"\s+#\s|\s{3,}(?=[a-z])", text)[0])
    words: list[str] = []
    for word in shlex.split(
        CHOICE.sub(lambda found: found["first"], text) if "://" not in text else text, comments=True
    ):
        if word in ("|", "&&", ";"):
            yield tuple(words)
            words = []
        else:
            words.append(word.removesuffix(","))
    if words:
        yield tuple(words)


def marked() -> list[tuple[str, int, str]]:
    """Every block that is marked: page, line and reason."""
    return [
        (page, block.line, block.reason)
        for page in PAGES
        for block in blocks((ROOT / page).read_text(encoding="utf-8"))
        if block.reason
    ]


def all_commands() -> list[Command]:
    """Of all pages."""
    return [each for page in PAGES for each in commands(page, (ROOT / page).read_text(encoding="utf-8"))]
