"""What a container may be called: its name is its DNS name, and an engine's, and a router's request."""

from __future__ import annotations

import re

from swarmkeeper.errors import InvalidInput

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,48}[a-z0-9]")
"""Engines take no name of one letter."""
RESERVED_NAMES = frozenset({"localhost", "router", "fleet", "ingress", "host", "gateway", "manager", "registry"})
RESERVED_PATTERN = re.compile(r"[0-9-]+|0x[0-9a-f]+|(node-(router|finder|cadvisor|telegraf)|join-join)-[0-9]+")
"""Names that a router could take for an address written as a number, and those of what runs on each node beside it."""


def check_name(name: str) -> None:
    """Raise InvalidInput, of the field `Name`, unless a container may be called so."""
    if not NAME.fullmatch(name) or "--" in name:
        raise InvalidInput("Name", "must be a lower-case DNS label of 2 to 50 characters without '--'")
    if name in RESERVED_NAMES or RESERVED_PATTERN.fullmatch(name):
        raise InvalidInput("Name", f"{name} is a reserved name")
