"""Ports of the host: which bindings can't stand on one node."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from swarmkeeper.domain.model import HostPort

ADDRESSES_KEPT = 1024

PortClash = Callable[[HostPort, HostPort], bool]
"""Whether a wanted binding can't stand beside one that is held."""


def clash(wanted: HostPort, held: HostPort) -> bool:
    """Whether both bind one port of one address, whatever their protocols, as in classic Swarm.

    Port 0 leaves the choice to the engine and never clashes. Addresses are compared as texts, except that one that
    stands for every interface meets all others.
    """
    if wanted.port != held.port or not wanted.port:
        return False
    if wanted.address == held.address:
        return True
    return binds_every_interface(wanted.address) or binds_every_interface(held.address)


def clash_within_protocol(wanted: HostPort, held: HostPort) -> bool:
    """As `clash`, but 53/udp and 53/tcp may stand side by side, as engines allow."""
    return wanted.protocol == held.protocol and clash(wanted, held)


@lru_cache(ADDRESSES_KEPT)
def binds_every_interface(address: str) -> bool:
    """Whether the address is empty or some spelling of the unspecified one: 0.0.0.0, ::, ::ffff:0.0.0.0, 0:0::0."""
    if not address:
        return True
    if "%" in address:  # a zone: Python reads it, Docker's engine doesn't
        return False
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return parsed.is_unspecified or (mapped is not None and mapped.is_unspecified)
