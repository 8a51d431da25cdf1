"""The order in which requests are packed, and what makes two of them equal."""

from __future__ import annotations

from collections.abc import Iterable

from swarmkeeper.domain.model import Request, Resources, Rules


def in_packing_order(requests: Iterable[Request], scale: Resources) -> list[Request]:
    """Largest first, by the larger share of CPU or memory of `scale`; equal ones by shape, then name.

    Placing pending requests in this order wastes least; sizing assumes it.
    """

    def key(request: Request) -> tuple[tuple[int, int, int], str, str, str]:
        rules = f"{request.reservation.generic}{request.rules}"
        return largest_first(request.reservation, scale), rules, request.image, request.name

    return sorted(requests, key=key)


def largest_first(size: Resources, scale: Resources) -> tuple[int, int, int]:
    """A key that sorts sizes by the larger share of CPU or memory of `scale`, then by each."""
    larger = max(size.nano_cpus * scale.memory_bytes, size.memory_bytes * scale.nano_cpus)
    return -larger, -size.nano_cpus, -size.memory_bytes


def shape(request: Request) -> tuple[Resources, Rules, str]:
    """What makes two requests equal for filters and strategies."""
    return request.reservation, request.rules, request.image
