"""Requests as JSON text and back; what is stored of one is what was accepted, to the last field."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from swarmkeeper.domain.model import ContainerName, HostPort, Lifetime, Request, Resources, Rules


def request_text(request: Request) -> str:
    """Canonical: equal texts for equal requests and no others."""
    return json.dumps(asdict(request), sort_keys=True, separators=(",", ":"))


def request_from(text: str) -> Request:
    """The request that `request_text` wrote."""
    stored: dict[str, Any] = json.loads(text)
    return Request(
        **{
            **stored,
            "name": ContainerName(stored["name"]),
            "reservation": _resources(stored["reservation"]),
            "rules": _rules(stored["rules"]),
            "lifetime": Lifetime(**stored["lifetime"]),
            "writes": tuple(stored.get("writes", ())),  # requests of an older version don't have it
        }
    )


def _resources(stored: Mapping[str, Any]) -> Resources:
    generic: Sequence[tuple[str, int]] = stored["generic"]
    return Resources(stored["nano_cpus"], stored["memory_bytes"], tuple((kind, amount) for kind, amount in generic))


def _rules(stored: Mapping[str, Any]) -> Rules:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
    fields["ports"] = tuple(HostPort(**port) for port in stored["ports"])
    return Rules(**fields)
