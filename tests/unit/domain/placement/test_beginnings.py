"""Texts are found by any of their beginnings, however they are divided."""

from __future__ import annotations

from random import Random

import pytest

from swarmkeeper.domain.model import Node
from swarmkeeper.domain.placement.index import beginnings
from swarmkeeper.domain.placement.index.beginnings import Beginnings, common
from swarmkeeper.domain.placement.index.entries import NodeEntry
from tests.fakes.builders import a_node

NODE: Node = a_node()


def found(texts: Beginnings, prefix: str) -> dict[str, object]:
    """What begins with the prefix; each text once."""
    groups = [dict(group) for group in texts.having(prefix)]
    together: dict[str, object] = {text: held for group in groups for text, held in group.items()}
    assert len(together) == sum(map(len, groups))
    return together


@pytest.mark.parametrize("many", [1, 3, 20])
@pytest.mark.parametrize("letters", ["a", "ab", "abcdefgh"])
def test_texts_are_found_by_their_beginnings_while_they_come_and_go(
    monkeypatch: pytest.MonkeyPatch, many: int, letters: str
) -> None:
    monkeypatch.setattr(beginnings, "MANY", many)
    random = Random(many)

    def drawn() -> str:
        return random.choice(("", "tenant-7-", "tenant-")) + "".join(random.choices(letters, k=random.randrange(9)))

    expected: dict[str, NodeEntry] = {}
    texts = Beginnings({})
    for _ in range(600):
        text = drawn()
        if expected and random.random() < 0.5:
            text = random.choice(list(expected))
            del expected[text]
            texts.remove(text)
        else:
            expected[text] = NodeEntry(NODE)
            texts.put(text, expected[text])
        prefix = drawn()[: random.randrange(12)]
        assert found(texts, prefix) == {text: held for text, held in expected.items() if text.startswith(prefix)}
    for text in expected:
        texts.remove(text)
    assert found(texts, "") == {}


def test_a_line_break_is_known_of_while_a_text_has_one() -> None:
    entry = NodeEntry(NODE)
    texts = Beginnings({"one": entry})
    assert texts.all_in_one_line
    texts.put("two\nlines", entry)
    texts.put("two\nlines", NodeEntry(NODE))
    assert not texts.all_in_one_line
    texts.remove("two\nlines")
    assert texts.all_in_one_line


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("web-1", "web-2", "web-"), ("web", "web-1", "web"), ("web-1", "web", "web"), ("a", "b", ""), ("", "a", "")],
)
def test_two_texts_begin_alike_up_to_the_first_difference(one: str, other: str, expected: str) -> None:
    assert common(one, other) == expected
