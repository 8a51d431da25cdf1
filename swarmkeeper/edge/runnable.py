"""What every engine would refuse: told at once, not after a node has been found for it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from itertools import combinations

from swarmkeeper.domain.placement.ports import clash_within_protocol
from swarmkeeper.edge.create_body import CreateBody
from swarmkeeper.edge.rules import ports_of
from swarmkeeper.edge.settings_admission import is_within
from swarmkeeper.errors import InvalidInput

NANO_CPUS_MIN = 10**7
"""Docker's own least limit, a hundredth of a CPU."""
MEMORY_BYTES_MIN = 6 * 2**20
"""Docker's own least memory limit."""

# The grammar of the distribution project's image references.
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST_PART = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"{_HOST_PART}(?:\.{_HOST_PART})*(?::[0-9]+)?"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
REFERENCE = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@{_DIGEST})?", re.ASCII)


def check_runnable(body: CreateBody) -> None:
    """Raises InvalidInput that names the field."""
    if not REFERENCE.fullmatch(body.Image):
        raise InvalidInput("Image", f"{body.Image!r} is not an image reference")
    if 0 < body.HostConfig.NanoCpus < NANO_CPUS_MIN:
        raise InvalidInput("HostConfig.NanoCpus", f"is below Docker's least, {NANO_CPUS_MIN} (0.01 CPUs)")
    if 0 < body.HostConfig.Memory < MEMORY_BYTES_MIN:
        raise InvalidInput("HostConfig.Memory", f"is below Docker's least, {MEMORY_BYTES_MIN} bytes")
    for one, other in combinations(ports_of(body), 2):
        if clash_within_protocol(one, other):
            raise InvalidInput("HostConfig.PortBindings", f"port {one.port} of the node is asked for twice")
    for target in _targets(body):
        if is_within(posixpath.normpath(target), "/proc"):
            raise InvalidInput("HostConfig", f"nothing can be mounted at {target}: engines keep /proc to themselves")


def _targets(body: CreateBody) -> Iterator[str]:
    """Where volumes, folders and memory are mounted in the container."""
    host = body.HostConfig
    yield from body.Volumes
    yield from host.Tmpfs
    yield from (mount.Target for mount in host.Mounts)
    yield from (parts[1] for bind in host.Binds if len(parts := bind.split(":")) > 1)
