"""What is read off a pattern."""

from __future__ import annotations

import pytest

from swarmkeeper.domain.placement.literals import Required, required


@pytest.mark.parametrize(
    ("value", "prefix", "parts"),
    [
        ("web-*", "web-", ("web-",)),
        ("*-app-3-*", "", ("-app-3-",)),
        ("/app-3-/", "", ("app-3-",)),
        ("/^t0[0-9]1-app-7/", "t0", ("1-app-7", "t0")),
        ("/(?i)ZZZ/", "", ("zzz",)),
        ("*\\.com", "", (".com",)),
        ("ab?cd*ef", "a", ("cd", "ef")),
        ("/ab+?cd/", "", ("cd",)),
        ("/(ab|cd)ef/", "", ("ef",)),
        ("/[]a]bc/", "", ("bc",)),
        ("/(?m)^ab/", "", ("ab",)),
    ],
)
def test_a_prefix_and_what_must_be_contained_are_found(value: str, prefix: str, parts: tuple[str, ...]) -> None:
    assert required(value) == Required(prefix, parts)


@pytest.mark.parametrize(
    "value", ["/a|bc/", "ab|cd", "/[^a]?$/", "/\\Qab/", "/\\x41bc/", "/(ab)?/", "*", "//", "/ébc/"]
)
def test_nothing_is_claimed_where_it_cannot_be_told(value: str) -> None:
    assert not required(value).is_sought
