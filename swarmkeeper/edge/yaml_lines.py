"""A YAML document as plain data, with the line of each of its fields.

The only module that needs a YAML library, so that functions in AWS, which read JSON, don't carry one.
"""

from __future__ import annotations

from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """What the file says, and where."""

    data: object
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of the field, or of the nearest thing around it that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class YamlFault(Exception):
    """The text is not one YAML document; `line` is where."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


def read_yaml(text: str) -> YamlDocument:
    """Read one YAML 1.2 document. Raises YamlFault, also for a key given twice."""
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
        data: object = yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlFault(mark.line + 1 if mark else 1, str(error.problem or error.context)) from error
    except YAMLError as error:
        raise YamlFault(1, str(error)) from error
    lines: dict[Path, int] = {}
    _collect(root, (), lines)
    return YamlDocument(data, lines)


def _collect(node: Node | None, path: Path, lines: dict[Path, int]) -> None:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            lines[here] = key.start_mark.line + 1
            _collect(value, here, lines)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            lines[*path, index] = value.start_mark.line + 1
            _collect(value, (*path, index), lines)
