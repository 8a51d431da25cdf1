"""Moto's way to the service and back, without what it computes anew for each request and each value.

For every request moto lists its folder of services and goes through the addresses of all; for every attribute of every
item of DynamoDB its serializer tries each of ten types under several names, which is most of the cost of a read.
"""

from __future__ import annotations

from inspect import isfunction
from typing import Any

from moto.core import responses
from moto.core.model import Shape, StructureShape
from moto.core.serialize import BaseJSONSerializer
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from local.aws.patching import Patches

ATTRIBUTE = "AttributeValue"
_TEXTS = frozenset({"S", "N"})
_AS_THEY_ARE = frozenset({"BOOL", "NULL", "SS", "NS"})

Wire = dict[str, Any]


def install(patches: Patches) -> None:
    """What moto answers stays the same."""
    _remember_services(patches)
    patches.replace(responses, "method_names_from_class", Methods)
    _pass_attributes_on(patches)


class Methods:
    """The names of a class's methods, which moto lists to see whether one is among them."""

    def __init__(self, owner: type) -> None:
        self._owner = owner

    def __contains__(self, name: str) -> bool:
        return isfunction(getattr(self._owner, name, None))


def _remember_services(patches: Patches) -> None:
    find, known = DomainDispatcherApplication.get_backend_for_host, dict[str, Any]()

    def backend_for_host(app: DomainDispatcherApplication, host: str | None) -> Any:
        if host is None:
            return None
        if host not in known:
            known[host] = find(app, host)
        return known[host]

    patches.replace(DomainDispatcherApplication, "get_backend_for_host", backend_for_host)


def _pass_attributes_on(patches: Patches) -> None:
    serialize = BaseJSONSerializer._serialize_type_structure

    def serialize_structure(
        serializer: BaseJSONSerializer, serialized: Wire, value: Any, shape: StructureShape, key: str
    ) -> None:
        wire = as_sent(value) if _is_attribute(shape) else None
        if wire is None:
            serialize(serializer, serialized, value, shape, key)
        else:
            serialized[key] = wire

    patches.replace(BaseJSONSerializer, "_serialize_type_structure", serialize_structure)


def _is_attribute(shape: Shape) -> bool:
    return shape.name == ATTRIBUTE


def as_sent(value: Any) -> Wire | None:
    """An attribute's value as it is sent; None when moto must see to it: binary ones are encoded on the way."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((kind, held),) = value.items()
    if kind in _TEXTS:
        return {kind: str(held)}
    if kind in _AS_THEY_ARE:
        return {kind: held}
    if kind == "L":
        members = [as_sent(one) for one in held]
        return None if None in members else {kind: members}
    if kind == "M":
        fields = {name: as_sent(one) for name, one in held.items()}
        return None if None in fields.values() else {kind: fields}
    return None
