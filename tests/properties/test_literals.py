"""What a pattern is said to require stands in every text that it matches."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from swarmkeeper.domain.placement.expressions import matcher_for
from swarmkeeper.domain.placement.literals import required
from swarmkeeper.domain.placement.patterns import UnsupportedPattern
from swarmkeeper.edge.patterns import compile_re2

PIECES = st.sampled_from(
    [*"abABks-.*+?()[]|^$/\n"]  # noqa: RUF005  in two kinds
    + [
        r"ab",
        r"(?i)",
        r"(?m)",
        r"(?:",
        r"[^a]",
        r"[]a]",
        r"[[:alpha:]]",
        r"\.",
        r"\d",
        r"\pL",
        r"\Q",
        r"\E",
        r"\z",
        r"\A",
        r"\b",
        r"\x61",
        r"\141",
        r"+?",
        r"(?i:",
        r"(?P<n>",
        r"\-",
    ]
)
VALUES = st.builds(
    lambda pieces, ends: f"{ends}{''.join(pieces)}{ends}",
    st.lists(PIECES, min_size=1, max_size=6),
    st.sampled_from(["", "/"]),
)
TEXTS = st.lists(st.text("abABks\u017f\u212a-.1\n", max_size=6), min_size=1, max_size=40)


@settings(max_examples=400)
@given(VALUES, TEXTS)
def test_what_a_pattern_requires_stands_in_every_text_that_it_matches(value: str, texts: list[str]) -> None:
    try:
        matches = matcher_for(value, compile_re2)
    except UnsupportedPattern:
        return
    found = required(value)
    for text in texts:
        if matches(text):
            assert text.startswith(found.prefix)
            assert all(part in text.casefold() for part in found.parts)


@given(st.sampled_from(["*{}", "{}*", "*{}*", "/{}/"]), st.text("ab-\n", min_size=1, max_size=3), TEXTS)
def test_what_needs_no_pattern_matches_as_the_pattern_does(form: str, literal: str, texts: list[str]) -> None:
    value = form.format(literal)
    pattern = literal if value.startswith("/") else f"^{value.replace('*', '.*')}$"
    ours, theirs = matcher_for(value, compile_re2), compile_re2(pattern)
    assert list(map(ours, texts)) == list(map(theirs, texts))
