"""Volumes that follow their containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from swarmkeeper.edge.settings_fields import Strict, broken
from swarmkeeper.edge.settings_rules import Problem

NFS_OPTIONS = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport"
"""What AWS recommends for EFS. `hard`: a writer waits for a server that is away, rather than to lose what it wrote."""


class SharedVolumes(Strict):
    """Where shared volumes are kept: a file system of EFS that the stack makes, or an NFS server that is there."""

    kind: Literal["efs", "nfs"]
    server: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")] | None = None
    """The NFS server's name or address, which the nodes must reach."""
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/-]{0,200}$")] = "/"
    """The exported folder that holds the volumes, one folder a tenant with one a volume in it."""
    options: Annotated[str, Field(pattern=r"^[a-z0-9=._,-]{1,300}$")] = NFS_OPTIONS

    @model_validator(mode="after")
    def _has_a_server(self) -> Self:
        broken(_server_of(self))
        return self


class VolumeSettings(Strict):
    """docs/containers.md tells what each kind of volume promises."""

    shared: SharedVolumes | None = None
    """null: the fleet has none."""


def _server_of(volumes: SharedVolumes) -> Iterator[Problem]:
    if (volumes.kind == "nfs") is (volumes.server is None):
        yield Problem(("server",), "is missing: where is nfs?" if volumes.kind == "nfs" else "efs has its own")
