"""Which modules of ours a module can come to: those that it, or one that it imports, names in an import anywhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def reached(root: Path, start: str, without: tuple[str, ...]) -> frozenset[Path]:
    """The files, relative to the root; `without` says how the paths begin that nobody comes to.

    Imports inside of functions count, those for type checkers alone don't. Each package on the way is among them.
    """
    found: set[Path] = set()
    todo = [start]
    while todo:
        module = todo.pop()
        path = _file_of(root, module)
        if path is None or path in found or path.as_posix().startswith(without):
            continue
        found.add(path)
        parent = module.rpartition(".")[0]
        todo += [*_imports(ast.parse((root / path).read_bytes())), *([parent] if parent else [])]
    return frozenset(found)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Names of modules, and of what may be modules."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from _imports(node)


def _file_of(root: Path, module: str) -> Path | None:
    base = Path(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if (root / path).is_file()), None)
