"""What a tenant may have, what it has, and what would be too much."""

from __future__ import annotations

from dataclasses import dataclass

from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Quota, Request, Usage

UNITS = {"containers": (1, "containers"), "nano_cpus": (NANO_CPUS_PER_CPU, "CPUs"), "memory_bytes": (2**20, "MiB")}
"""How amounts are told to people, by field."""


@dataclass(frozen=True, slots=True)
class Excess:
    """What of a quota a request would exceed; `resource` is the field's name."""

    resource: str
    used: int
    wanted: int
    limit: int

    def __str__(self) -> str:
        per, unit = UNITS[self.resource]
        used, limit, wanted = (f"{round(amount / per, 2):.12g}" for amount in (self.used, self.limit, self.wanted))
        return f"uses {used} of {limit} {unit} and wants {wanted} more"


def amounts(request: Request) -> dict[str, int]:
    """What the request counts for, by the fields of Quota and Usage."""
    reservation = request.reservation
    return {"containers": 1, "nano_cpus": reservation.nano_cpus, "memory_bytes": reservation.memory_bytes}


def ceilings(request: Request, quota: Quota) -> dict[str, int]:
    """The most that may be used already for the request to be accepted; what has no limit is left out."""
    limits: dict[str, int | None] = {
        "containers": quota.containers,
        "nano_cpus": quota.nano_cpus,
        "memory_bytes": quota.memory_bytes,
    }
    wanted = amounts(request)
    return {name: limit - wanted[name] for name, limit in limits.items() if limit is not None}


def excess(request: Request, quota: Quota, usage: Usage) -> Excess | None:
    """What the request would exceed, None when it may be accepted."""
    wanted = amounts(request)
    for name, ceiling in ceilings(request, quota).items():
        used: int = getattr(usage, name)
        if used > ceiling:
            return Excess(name, used, wanted[name], ceiling + wanted[name])
    return None


def added(usage: Usage, request: Request) -> Usage:
    """The usage with one more accepted."""
    return _changed(usage, request, +1)


def removed(usage: Usage, request: Request) -> Usage:
    """The usage with that one given back."""
    return _changed(usage, request, -1)


def _changed(usage: Usage, request: Request, sign: int) -> Usage:
    change = amounts(request)
    return Usage(
        containers=usage.containers + sign * change["containers"],
        nano_cpus=usage.nano_cpus + sign * change["nano_cpus"],
        memory_bytes=usage.memory_bytes + sign * change["memory_bytes"],
    )
