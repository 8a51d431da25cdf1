"""A synthesised CloudFormation template: what it declares, and the order in which that can be made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


class TemplateError(ValueError):
    """The template can't be read, or holds something that the local cloud doesn't know."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as declared, its properties not resolved yet."""

    id: str
    type: str
    properties: Mapping[str, object]
    depends_on: tuple[str, ...] = ()
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A template's sections."""

    resources: Mapping[str, Resource]
    parameters: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    mappings: Mapping[str, Mapping[str, Mapping[str, object]]] = field(default_factory=dict)
    conditions: Mapping[str, object] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Template:
        """Read a template in JSON. Raises TemplateError when it isn't one."""
        try:
            return cls.parse(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, json.JSONDecodeError) as error:
            raise TemplateError(f"{path}: {error}") from error

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> Template:
        """Take a template apart. Raises TemplateError when it has no resources or uses transforms."""
        if "Transform" in document:
            raise TemplateError("the template uses a transform, which only AWS can expand")
        declared = _section(document, "Resources")
        if not declared:
            raise TemplateError("the template declares no resources")
        return cls(
            resources={name: _resource(name, body) for name, body in declared.items()},
            parameters=_section(document, "Parameters"),
            mappings=_section(document, "Mappings"),  # type: ignore[arg-type]  # two more levels of the same kind
            conditions=_section(document, "Conditions"),
            outputs=_section(document, "Outputs"),
        )

    def order(self) -> list[Resource]:
        """The resources, each behind all that it needs, else as they are written. Raises TemplateError for a circle."""
        done: dict[str, Resource] = {}
        waiting = dict(self.resources)
        needs = {one.id: self.needs(one) - {one.id} for one in waiting.values()}
        while waiting:
            # One at a time, so that the written order decides among those that are ready.
            ready = next((name for name in waiting if needs[name].isdisjoint(waiting)), None)
            if ready is None:
                raise TemplateError(f"these resources need each other: {', '.join(sorted(waiting))}")
            done[ready] = waiting.pop(ready)
        return list(done.values())

    def needs(self, resource: Resource) -> set[str]:
        """The logical ids that a resource names, in its properties or as what it depends on."""
        named = set(references(resource.properties)) | set(resource.depends_on)
        return named & self.resources.keys()


def references(value: object) -> Iterator[str]:
    """The logical ids that a value refers to, parameters among them."""
    if isinstance(value, list):
        for one in value:
            yield from references(one)
    if not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        if key == "Ref":
            yield str(inner)
        elif key == "Fn::GetAtt":
            yield str(inner[0] if isinstance(inner, list) else inner).partition(".")[0]
        elif key == "Fn::Sub":
            text = inner[0] if isinstance(inner, list) else inner
            yield from (name.partition(".")[0] for name in substitutions(str(text)))
        yield from references(inner)


def substitutions(text: str) -> list[str]:
    """The names in `${...}` of an Fn::Sub, those escaped as `${!...}` left out."""
    return [name.strip() for name in re.findall(r"\$\{([^!}][^}]*)\}", text)]


def _resource(name: str, body: Mapping[str, object]) -> Resource:
    depends_on = body.get("DependsOn") or []
    properties = body.get("Properties") or {}
    if "Type" not in body or not isinstance(properties, Mapping):
        raise TemplateError(f"resource {name} has no type, or properties that aren't an object")
    return Resource(
        id=name,
        type=str(body["Type"]),
        properties=properties,
        depends_on=(depends_on,) if isinstance(depends_on, str) else tuple(map(str, _list(depends_on))),
        condition=str(body.get("Condition") or ""),
    )


def _section(document: Mapping[str, object], name: str) -> Mapping[str, Mapping[str, object]]:
    section = document.get(name) or {}
    if not isinstance(section, Mapping):
        raise TemplateError(f"{name} isn't an object")
    return section


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
