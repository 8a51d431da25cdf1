"""Masks: sets of nodes as the bits of one integer."""

from __future__ import annotations

from collections.abc import Iterator


def positions(mask: int) -> Iterator[int]:
    """The positions of the bits that are set, ascending."""
    digits = bin(mask)[:1:-1]  # searching a text is several times cheaper than taking bits off an integer
    at = digits.find("1")
    while at >= 0:
        yield at
        at = digits.find("1", at + 1)


def lowest(mask: int) -> int:
    """The position of the lowest bit that is set; -1 of an empty mask."""
    return (mask & -mask).bit_length() - 1
