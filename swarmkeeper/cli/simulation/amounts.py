"""Amounts as they are typed on the command line."""

from __future__ import annotations

import re

import typer

from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Resources

GIB = 2**30
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)")
AMOUNT = r"([0-9]+(?:\.[0-9]+)?)"
NODE = re.compile(rf"{AMOUNT},{AMOUNT}")


def duration(text: str) -> float:
    """Seconds in `90`, `90s`, `5m`, `12h` or `2d`. Raises BadParameter."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a duration such as 90, 90s, 5m, 12h or 2d")
    return float(match[1]) * UNITS[match[2]]


def node_size(text: str) -> Resources:
    """A node's size in `VCPU,GB`, such as `32,256`. Raises BadParameter."""
    match = NODE.fullmatch(text)
    size = Resources(round(float(match[1]) * NANO_CPUS_PER_CPU), round(float(match[2]) * GIB)) if match else Resources()
    if size.nano_cpus <= 0 or size.memory_bytes <= 0:
        raise typer.BadParameter(f"{text!r} is not VCPU,GB, such as 32,256")
    return size
