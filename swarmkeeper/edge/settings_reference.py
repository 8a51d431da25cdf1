"""The reference of swarmkeeper.yaml, made from its models: `python -m swarmkeeper.edge.settings_reference FILE`.

What a setting means is the text below it in its model, else the comment that the example file has on its line.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from swarmkeeper.edge.quantities import parse_duration, parse_size
from swarmkeeper.edge.settings import Settings
from swarmkeeper.edge.yaml_lines import read_yaml

EXAMPLE = Path(__file__).parents[2] / "swarmkeeper.example.yaml"
HEAD = """# Configuration

One file, `swarmkeeper.yaml`, configures a fleet; [swarmkeeper.example.yaml](../swarmkeeper.example.yaml) has
every setting. This page is made from the code by `make reference`. Durations are written `10s`, `30m` or `2h`,
sizes `256MiB` or `2GiB`. Unknown keys and values out of bounds are refused with their line, and so is what breaks a
rule across settings.
"""
Json = Mapping[str, Any]
OVERRIDES = ("pools.<name>.scaling", "pools.<name>.admission")
"""Parts with the same settings as the fleet's own of that name."""
BOUNDS = {
    "minimum": "at least {}",
    "ge": "at least {}",
    "exclusiveMinimum": "above {}",
    "gt": "above {}",
    "maximum": "at most {}",
    "le": "at most {}",
    "exclusiveMaximum": "below {}",
    "lt": "below {}",
    "minItems": "{} or more of them",
    "maxItems": "{} of them at most",
    "maxProperties": "{} of them at most",
    "maxLength": "{} characters at most",
}
UNITS = {3600: "h", 60: "m"}
BINARY = {2**30: "GiB", 2**20: "MiB", 2**10: "KiB"}
STEPS: Mapping[str, tuple[Mapping[int, str], str]] = {"duration": (UNITS, "s"), "size": (BINARY, "B")}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the file: where it stands, and its model."""

    path: str
    model: type[BaseModel]


def reference_text() -> str:
    """The page, the same for the same version of the code and the example."""
    example = _Example(EXAMPLE.read_text(encoding="utf-8"))
    return "\n".join([HEAD, *(_section(each, example) for each in sections())])


def sections() -> Iterator[Section]:
    """Every part of the file, a part before those within it."""
    yield from _within(Section("", Settings))


def _within(section: Section) -> Iterator[Section]:
    if section.path in OVERRIDES:
        return
    yield section
    for name, field in section.model.model_fields.items():
        for model in _models(field.annotation):
            path = f"{section.path}.{name}" if section.path else name
            is_map = "dict[" in str(field.annotation)
            yield from _within(Section(f"{path}.<name>" if is_map else path, model))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and not get_args(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _section(section: Section, example: _Example) -> str:
    schema = section.model.model_json_schema()
    meanings = _meanings(section.model)
    lines = [f"## `{section.path}`" if section.path else "## The file", "", str(section.model.__doc__), ""]
    lines += ["| setting | value | default | bounds | meaning |", "|---|---|---|---|---|"]
    for name, field in section.model.model_fields.items():
        part = schema["properties"][name]
        path = f"{section.path}.{name}" if section.path else name
        kind = _quantity(field)
        told = meanings.get(name) or example.comment(path)
        cells = (f"`{name}`", _value(part, schema, kind), _default(field, kind), _bounds(part, kind), told)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def _quantity(field: FieldInfo) -> str:
    """`duration`, `size`, or nothing for a plain value."""
    marks = {getattr(each, "func", None) for each in (*field.metadata, *_metadata(field.annotation))}
    return "duration" if parse_duration in marks else "size" if parse_size in marks else ""


def _metadata(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _metadata(part)


def _value(part: Json, schema: Json, kind: str) -> str:
    if "anyOf" in part:
        return " or ".join(_value(each, schema, kind) for each in part["anyOf"])
    if part.get("$ref", "").endswith("Overrides"):
        return "settings of `scaling`"
    if "$ref" in part:
        named = schema["$defs"][part["$ref"].rpartition("/")[2]]
        return _value(named, schema, kind) if "enum" in named else "a part of its own, below"
    if "enum" in part or "const" in part:
        return ", ".join(f"`{json.dumps(each)}`" for each in part.get("enum", [part.get("const")]))
    if part.get("type") == "array":
        return f"list: {_value(part['items'], schema, kind)}" if "items" in part else "list"
    if part.get("type") == "object":
        return "map by name"
    if part.get("type") == "null":
        return "`null`"
    return kind or {"boolean": "`true`, `false`", "string": "text"}.get(str(part.get("type")), str(part.get("type")))


def _default(field: FieldInfo, kind: str) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its own"
    plain = json.dumps(list(value) if isinstance(value, tuple | frozenset) else value)
    return f"`{_written(value, kind) if kind and value is not None else plain}`"


def _bounds(part: Json, kind: str) -> str:
    own = [words.format(_written(part[name], kind)) for name, words in BOUNDS.items() if name in part]
    inner = [_bounds(each, kind) for each in (*part.get("anyOf", ()), *([part["items"]] if "items" in part else ()))]
    return ", ".join(filter(None, [*own, *inner]))


def _written(value: float, kind: str) -> str:
    """A number as the file has it."""
    if not kind:
        return f"{value:g}" if abs(value) < 10**6 else str(value)
    steps, least = STEPS[kind]
    unit = next((each for each in steps if value and value % each == 0), None)
    return f"{int(value // unit)}{steps[unit]}" if unit else f"{int(value)}{least}"


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Field -> the text below it in the model, or in one that it is made from."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            (body,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
            found |= dict(_texts(body))
    return found


def _texts(body: ast.stmt) -> Iterator[tuple[str, str]]:
    assert isinstance(body, ast.ClassDef)  # noqa: S101  what the source of a class is
    for before, after in zip(body.body, body.body[1:], strict=False):
        match before, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())


class _Example:
    """The comments of the example file by the path of what they stand beside."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._paths = read_yaml(text).lines

    def comment(self, path: str) -> str:
        """The comment on the line where the setting is given, if it begins there and nothing else does."""
        wanted = tuple(path.replace("pools.<name>", "pools.workers").split("."))
        number = self._paths.get(wanted)
        if number is None or sum(line == number for line in self._paths.values()) > 1 + self._inside(wanted, number):
            return ""
        return self._lines[number - 1].partition(" # ")[2].strip()

    def _inside(self, path: tuple[str, ...], number: int) -> int:
        """How many settings on that line stand within this one."""
        return sum(line == number and each[: len(path)] == path and each != path for each, line in self._paths.items())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference_text(), encoding="utf-8")
