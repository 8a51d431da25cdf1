"""Texts are found by what stands in them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from swarmkeeper.domain.placement.index.grams import STALE_MIN, Grams

DIGEST = "c0ffee" * 8
TEXTS: tuple[str, ...] = ("t1-app-3-17", "t1-app-31-2", "WEB", "ab", "x", "", DIGEST)


def settled(texts: Iterable[str]) -> Grams:
    every = list(texts)
    grams = Grams(every)
    grams.settle(every)
    return grams


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("-app-3-",), {"t1-app-3-17"}),
        (("app-3",), {"t1-app-3-17", "t1-app-31-2"}),
        (("web",), {"WEB"}),
        (("ab",), {"ab"}),
        (("17",), {"t1-app-3-17"}),
        (("zz",), set()),
        (("eec0",), {DIGEST}),
    ],
)
def test_those_that_contain_the_parts_are_among_the_candidates(parts: tuple[str, ...], expected: set[str]) -> None:
    found = set(settled(TEXTS).having(parts))
    assert expected == {text for text in found if all(part in text.casefold() for part in parts)}


def test_candidates_are_few() -> None:
    grams = settled(f"t{number}-app-{number % 50}-x" for number in range(1000))
    assert len(set(grams.having(["-app-3-", "app"]))) == 20


def test_what_has_gone_is_forgotten_when_there_is_much_of_it() -> None:
    there = dict.fromkeys(f"name-{number}" for number in range(STALE_MIN + 1))
    grams = settled(there)
    for text in list(there):
        del there[text]
        grams.remove(text)
    grams.settle(there)
    assert list(grams.having(["name"])) == []


def test_a_text_that_comes_back_is_found_once() -> None:
    grams = settled(["web-1"])
    grams.remove("web-1")
    grams.put("web-1")
    grams.settle(["web-1"])
    assert list(grams.having(["web"])) == ["web-1"]


def test_what_goes_before_anybody_asks_is_never_divided() -> None:
    grams = settled(["web-1"])
    grams.put("web-2")
    grams.remove("web-2")
    grams.settle(["web-1"])
    assert list(grams.having(["web"])) == ["web-1"]
