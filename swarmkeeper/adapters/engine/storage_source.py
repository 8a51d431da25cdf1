"""Where the fleet keeps its shared volumes, from its settings and what the template tells its functions."""

from __future__ import annotations

from collections.abc import Mapping

from swarmkeeper.adapters.engine.shared_volumes import SharedStorage
from swarmkeeper.edge.settings_volumes import SharedVolumes
from swarmkeeper.errors import InvalidInput

SERVER_VARIABLE = "SWARMKEEPER_SHARED_SERVER"
"""The address of the file system that the stack has made, where it makes one."""
IMAGE_VARIABLE = "SWARMKEEPER_JOIN_IMAGE"
"""An image that every node holds, since it has joined with it."""
DIRECTORY_VARIABLE = "SWARMKEEPER_SHARED_DIRECTORY"
"""A folder that the nodes share, in place of NFS. Only the local cloud sets it: its kernel may have no NFS client."""


def storage_of(settings: SharedVolumes | None, environ: Mapping[str, str]) -> SharedStorage | None:
    """None where the settings have none. Raises InvalidInput for a variable that is missing."""
    if settings is None:
        return None
    image = _variable(environ, IMAGE_VARIABLE)
    if folder := environ.get(DIRECTORY_VARIABLE):
        return SharedStorage(folder, image)
    server = settings.server or _variable(environ, SERVER_VARIABLE)
    return SharedStorage(settings.path, image, server=server, options=settings.options)


def _variable(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise InvalidInput(name, "is not set in the function's environment")
    return value
