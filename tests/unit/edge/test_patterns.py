from __future__ import annotations

import pytest

from swarmkeeper.domain.placement.patterns import UnsupportedPattern
from swarmkeeper.edge.patterns import PATTERN_CHARACTERS_MAX, UNICODE_CLASSES_MAX, compile_offline, compile_re2


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        pytest.param("b", "abc", True, id="anywhere"),
        pytest.param("^b", "abc", False, id="start"),
        pytest.param("c$", "abc\n", False, id="the very end only"),
        pytest.param(r"c\z", "abc", True, id="the end by name"),
        pytest.param("a.c", "a\nc", False, id="a dot takes no line end"),
        pytest.param("(?s)a.c", "a\nc", True, id="unless it is told to"),
        pytest.param("a.c", "aéc", True, id="a dot takes one character, not one byte"),
        pytest.param("(?i)k", "\u212a", True, id="case folds as Unicode does"),
        pytest.param(r"\pN", "٤", True, id="Unicode classes"),
        pytest.param(r"\d", "٤", False, id="but plain digits are ASCII"),
        pytest.param(r"\Qa.c\E", "abc", False, id="quoted"),
        pytest.param(r"\Q\C\E", r"\C", True, id="a quoted escape is text"),
        pytest.param(r"\\C", r"\C", True, id="an escaped backslash too"),
        pytest.param("[[:alpha:]]", "1a", True, id="named classes"),
        pytest.param(r"\bweb\b", "my web", True, id="word borders"),
        pytest.param("x*", "", True, id="nothing in nothing"),
        pytest.param("a", "\ud800a", True, id="half a surrogate pair is a character"),
        pytest.param("\ufffd", "\ud800", True, id="namely the replacement character, as in Go"),
    ],
)
def test_a_pattern_is_searched_for_as_go_would(pattern: str, text: str, found: bool) -> None:
    assert compile_re2(pattern)(text) is found


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "[", "a**", "(?x)a", "(?=a)", r"\1", r"\Z", r"\pQ", r"\C", r"a\Cb", "[[:nope:]]", "[z-a]", "*", "\\"],
)
def test_what_go_does_not_compile_is_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedPattern) as caught:
        compile_re2(pattern)
    assert str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("a" * (PATTERN_CHARACTERS_MAX + 1), id="characters"),
        pytest.param("[" + r"\pL" * (UNICODE_CLASSES_MAX + 1) + "]", id="Unicode classes"),
        pytest.param("." * PATTERN_CHARACTERS_MAX, id="memory"),
    ],
)
def test_a_pattern_has_limits(pattern: str) -> None:
    with pytest.raises(UnsupportedPattern):
        compile_re2(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        pytest.param(r"^\pL+-\pL+-\pN+$", "ab-cd-1", id="Unicode classes"),
        pytest.param("^(" + "|".join(f"i-{number:017x}" for number in range(56)) + ")$", f"i-{55:017x}", id="56 ids"),
    ],
)
def test_offline_a_pattern_may_be_larger(pattern: str, text: str) -> None:
    with pytest.raises(UnsupportedPattern):
        compile_re2(pattern)
    assert compile_offline(pattern)(text)


def test_a_pattern_that_runs_out_of_memory_while_it_matches_still_answers() -> None:
    # Its automaton has 2**200 states, so RE2 leaves it for the slower, still linear, simulation.
    found = compile_re2("[ab]*a" + "[ab]" * 200 + "$")
    assert found("a" * 4_096)
    assert not found("b" * 4_096)
