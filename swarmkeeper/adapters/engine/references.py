"""Containers that a body refers to, named by their ids: an engine would take a name for the beginning of an id too."""

from __future__ import annotations

from collections.abc import Callable

from swarmkeeper.errors import Conflict

LABEL_TENANT = "swarmkeeper.tenant"
CONTAINER_MODE = "container:"

IdOf = Callable[[str], str | None]
"""The id of the tenant's container of that name on the engine, None where there is none."""


def bound_to_ids(body: dict[str, object], id_of: IdOf) -> dict[str, object]:
    """The body with ids in `VolumesFrom` and in the network mode `container:NAME`.

    Links stay names: on our networks they are aliases that DNS resolves. Raises Conflict when the engine holds no
    such container of the same tenant: it went away since the decision.
    """
    host = body.get("HostConfig")
    if not isinstance(host, dict):
        return body
    changed = dict(host)
    mode = str(host.get("NetworkMode") or "")
    if mode.startswith(CONTAINER_MODE):
        changed["NetworkMode"] = CONTAINER_MODE + _id(mode.removeprefix(CONTAINER_MODE), id_of)
    if volumes := host.get("VolumesFrom"):
        changed["VolumesFrom"] = [_volumes(str(each), id_of) for each in volumes]
    return body | {"HostConfig": changed}


def _volumes(text: str, id_of: IdOf) -> str:
    name, separator, mode = text.partition(":")
    return _id(name, id_of) + separator + mode


def _id(name: str, id_of: IdOf) -> str:
    found = id_of(name)
    if found is None:
        raise Conflict(f"the container {name} that it depends on is not there")
    return found
