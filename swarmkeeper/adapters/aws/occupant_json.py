"""Occupants and images as JSON text and back: short, because a warm function reads all of a fleet's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from swarmkeeper.domain.model import HostPort, Image, Occupant, Resources


def occupant_text(occupant: Occupant) -> str:
    """Everything but the name, which is the item's key; what is as by default is left out."""
    amount = occupant.reservation
    stored = {
        "i": occupant.id,
        "s": occupant.swarm_id,
        "l": dict(occupant.labels),
        "r": [amount.nano_cpus, amount.memory_bytes, *([dict(amount.generic)] if amount.generic else [])],
        "p": [[port.port, port.protocol, port.address] for port in occupant.ports],
        "e": occupant.exposed,
        "n": "" if occupant.network_mode == "bridge" else occupant.network_mode,
        "m": occupant.image,
    }
    return json.dumps({key: value for key, value in stored.items() if value}, separators=(",", ":"), sort_keys=True)


def occupant_from(name: str, stored_text: str) -> Occupant:
    """The occupant that `occupant_text` wrote."""
    stored: dict[str, Any] = json.loads(stored_text)
    return Occupant(
        name=name,
        id=stored.get("i", ""),
        swarm_id=stored.get("s", ""),
        labels=stored.get("l", {}),
        reservation=Resources.of(*stored["r"]),
        ports=tuple(HostPort(*port) for port in stored.get("p", ())),
        exposed=tuple(stored.get("e", ())),
        network_mode=stored.get("n", "bridge"),
        image=stored.get("m", ""),
    )


def images_text(images: Sequence[Image]) -> str:
    return json.dumps([[image.id, *image.tags] for image in images], separators=(",", ":"))


def images_from(stored_text: str) -> tuple[Image, ...]:
    return tuple(Image(image_id, tuple(tags)) for image_id, *tags in json.loads(stored_text))
