"""Sets of nodes as the bits of one integer."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmkeeper.domain.placement.index.masks import lowest, mask_of, nth, positions
from swarmkeeper.domain.placement.strategies import first_of

SETS = st.sets(st.integers(0, 3_000), min_size=1, max_size=400)


@given(SETS)
def test_a_mask_gives_back_what_was_put_in(members: set[int]) -> None:
    mask = mask_of(list(members))
    assert list(positions(mask)) == sorted(members)
    assert lowest(mask) == min(members)


@given(SETS, st.data())
def test_the_nth_bit_has_so_many_below_it(members: set[int], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(members) - 1))
    assert nth(mask_of(list(members)), number) == sorted(members)[number]


@pytest.mark.parametrize("equals", [2, 7, 10])
def test_over_many_seeds_each_of_several_equals_comes_first_as_often(equals: int) -> None:
    first = Counter(first_of(equals, seed) for seed in range(1_000 * equals))
    assert first.keys() == set(range(equals))
    assert all(900 < count < 1_100 for count in first.values())


def test_without_a_seed_the_lowest_name_comes_first() -> None:
    assert first_of(5, None) == 0
