"""The order in which requests are packed, and what makes two of them equal."""

from __future__ import annotations

from collections.abc import Iterable

from swarmkeeper.domain.model import Request, Resources, Rules


def in_packing_order(requests: Iterable[Request], scale: Resources) -> list[Request]:
    """Largest first, by the larger share of CPU or memory of `scale`; equal ones by shape, then name.

    Placing pending requests in this order wastes least; sizing assumes it.
    """

    def key(request: Request) -> tuple[int, int, int, str, str, str]:
        cpus, memory = request.reservation.nano_cpus, request.reservation.memory_bytes
        larger = max(cpus * scale.memory_bytes, memory * scale.nano_cpus)
        return -larger, -cpus, -memory, f"{request.reservation.generic}{request.rules}", request.image, request.name

    return sorted(requests, key=key)


def shape(request: Request) -> tuple[Resources, Rules, str]:
    """What makes two requests equal for filters and strategies."""
    return request.reservation, request.rules, request.image
