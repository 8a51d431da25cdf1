"""The rules of the layers: who may import whom, a domain of the standard library alone, thin handlers."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HANDLERS = sorted(ROOT.glob("functions/*/handler.py"))
DOMAIN = sorted(ROOT.glob("swarmkeeper/domain/**/*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def test_imports_point_down_only() -> None:
    # In a process of its own, because it configures logging for the whole process.
    check = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_domain_needs_the_standard_library_alone(path: Path) -> None:
    foreign = {
        name
        for name in imported(path)
        if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("swarmkeeper.domain")
    }
    assert foreign == set()


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_handler_parses_calls_logs_and_returns_in_a_few_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 45
