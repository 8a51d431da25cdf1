"""Durations and sizes as people write them: `30m`, `256MiB`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_QUANTITY = re.compile(r"([0-9]+)([A-Za-z]+)")


def parse_duration(text: object) -> int:
    """Seconds in a duration such as `10s`, `30m` or `2h`.

    Raises ValueError for anything else; a bare number has no unit and is refused.
    """
    return _parse(text, _SECONDS, "a duration such as 10s, 30m or 2h")


def parse_size(text: object) -> int:
    """Bytes in a size such as `256MiB`; binary units only. Raises ValueError for anything else."""
    return _parse(text, _BYTES, "a size such as 256MiB or 2GiB")


def _parse(text: object, units: dict[str, int], wanted: str) -> int:
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] not in units:
        raise ValueError(f"{text!r} is not {wanted}")
    return int(match[1]) * units[match[2]]


Seconds = Annotated[
    int, BeforeValidator(parse_duration), PlainSerializer(lambda seconds: f"{seconds}s", return_type=str)
]
"""A duration in whole seconds; written `90s` in JSON, so that it reads back."""
Bytes = Annotated[int, BeforeValidator(parse_size), PlainSerializer(lambda size: f"{size}B", return_type=str)]
"""A size in bytes; written `1024B` in JSON, so that it reads back."""
