"""A resource's resolved properties, and how they become the parameters of an API call.

CloudFormation's property names are mostly the API's. What nobody asked for is known afterwards, so that a property
which the local cloud doesn't honour is reported and not lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class Properties:
    """The properties of one resource; remembers which were used."""

    def __init__(self, values: Mapping[str, Any], resource_type: str = "") -> None:
        self.resource_type = resource_type
        self._values = dict(values)
        self._used: set[str] = set()
        self._dropped: list[str] = []

    def take(self, name: str, default: Any = None) -> Any:
        """A property's value; it counts as used, also when it isn't there."""
        self._used.add(name)
        return self._values.get(name, default)

    def take_json(self, name: str) -> str:
        """A property that the API takes as JSON text: a policy, a document, a pattern."""
        value = self.take(name, {})
        return value if isinstance(value, str) else json.dumps(value)

    def take_all(self) -> dict[str, Any]:
        """Every property; all count as used."""
        self._used |= self._values.keys()
        return dict(self._values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def for_api(self, client: Any, operation: str, **given: object) -> dict[str, Any]:
        """The parameters of a call: all properties that it knows by the same name, and those `given`, which win.

        Numbers and truth values written as text get their types; tags become a list or a map, as the call wants them.
        """
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape
        parameters: dict[str, Any] = {}
        for name, value in self._values.items():
            if name in shape.members and name not in given:
                self._used.add(name)
                parameters[name] = self._shaped(value, shape.members[name], name)
        self._used |= given.keys()
        return parameters | given

    def shaped(self, client: Any, operation: str, member: str, value: object) -> Any:
        """One value as a call's parameter of that name takes it."""
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape
        return self._shaped(value, shape.members[member], member)

    def unused(self) -> tuple[str, ...]:
        """The properties, and parts of properties as `Outer.Inner`, that reached no API."""
        return (*sorted(self._values.keys() - self._used), *self._dropped)

    def _shaped(self, value: Any, shape: Any, path: str) -> Any:
        if shape.type_name == "structure" and isinstance(value, Mapping):
            self._dropped += [f"{path}.{name}" for name in value if name not in shape.members]
            return {
                name: self._shaped(inner, shape.members[name], f"{path}.{name}")
                for name, inner in value.items()
                if name in shape.members
            }
        if shape.type_name == "list" and isinstance(value, list):
            return [self._shaped(inner, shape.member, path) for inner in value]
        if shape.type_name == "list" and isinstance(value, Mapping):
            return [{"Key": key, "Value": str(inner)} for key, inner in value.items()]
        if shape.type_name == "map":
            items = tag_map(value) if isinstance(value, list) else value
            return {key: self._shaped(inner, shape.value, path) for key, inner in items.items()}
        return _scalar(value, shape.type_name)


def tag_map(tags: list[Mapping[str, str]]) -> dict[str, str]:
    """Tags as CloudFormation lists them, as a map."""
    return {str(tag["Key"]): str(tag["Value"]) for tag in tags}


def _scalar(value: Any, kind: str) -> Any:
    if kind in {"integer", "long"}:
        return int(value)
    if kind in {"float", "double"}:
        return float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if kind == "string" and not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value
