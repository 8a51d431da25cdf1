"""Masks: sets of nodes as the bits of one integer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

ONE = ord("1")
FEW_BITS = 8
"""So many are sooner gone through than halved."""
FEW_STEPS = 4
"""So many of the lowest bits are sooner taken off a mask of any usual length than it is halved."""


def positions(mask: int) -> Iterator[int]:
    """The positions of the bits that are set, ascending."""
    digits = bin(mask)[:1:-1]  # searching a text is several times cheaper than taking bits off an integer
    at = digits.find("1")
    while at >= 0:
        yield at
        at = digits.find("1", at + 1)


def mask_of(positions: Sequence[int]) -> int:
    """The mask with these bits, in any order."""
    if not positions:
        return 0
    digits = bytearray(b"0") * (max(positions) + 1)  # a bit added to an integer would copy all of it
    for at in positions:
        digits[~at] = ONE
    return int(digits, 2)


def nth(mask: int, number: int) -> int:
    """The position of the bit that has `number` set bits below it; the mask has more than those."""
    base = 0
    if number <= FEW_STEPS:
        for _ in range(number):
            mask &= mask - 1
        return lowest(mask)
    while (length := mask.bit_length()) > FEW_BITS:
        half = length // 2
        low = mask & ((1 << half) - 1)
        below = low.bit_count()
        if number < below:
            mask = low
        else:
            number -= below
            mask >>= half
            base += half
    for _ in range(number):
        mask &= mask - 1
    return base + lowest(mask)


def lowest(mask: int) -> int:
    """The position of the lowest bit that is set; -1 of an empty mask."""
    return (mask & -mask).bit_length() - 1
