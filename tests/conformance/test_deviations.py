"""Where classic Swarm's answer is a bug or an accident: what we answer instead, or why we keep it, by kind."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from swarmkeeper.edge.cases import Case, CaseAnswer, cases_in, decide_case
from tests.conformance.data import DEVIATIONS, lines_of

REFUSED = "invalid-expression"
Answered = tuple[dict[str, Any], CaseAnswer]


@pytest.fixture(scope="module")
def answers() -> list[Answered]:
    cases: list[Case] = list(cases_in(DEVIATIONS))
    return [(line, decide_case(case)) for line, case in zip(lines_of(DEVIATIONS), cases, strict=True)]


def of_kind(answers: list[Answered], kind: str) -> list[Answered]:
    found = [each for each in answers if each[0]["kind"] == kind]
    assert found
    return found


def is_classics(answered: Answered) -> bool:
    line, answer = answered
    expected = line["expect"]
    if "nodes" in expected:
        return answer.node in expected["nodes"] and answer.pass_ == line["decided_in_pass"]
    return answer.error == expected.get("error") and answer.error is not None


def test_there_is_a_choice_for_every_kind(answers: list[Answered]) -> None:
    assert Counter(line["kind"] for line, _ in answers) == {
        "slash-value-panics": 8,
        "slash-value-no-panic": 2,
        "operator-on-the-anchor": 6,
        "bad-regexp-fails-open": 21,
        "bad-regexp-matches-nothing": 20,
        "bad-label-json-ignored": 24,
        "bad-label-json-partly-read": 3,
        "whitelist-not-equal-is-equal": 5,
        "prefix-counted-twice": 2,
        "pending-host-ports-invisible": 2,
        "oversize-pending-not-counted": 1,
        "unicode-fold-in-grammar": 2,
    }


@pytest.mark.parametrize(
    ("kind", "because"),
    [
        pytest.param("slash-value-panics", "a single / is not a pattern", id="a value of / where classic crashed"),
        pytest.param("bad-regexp-fails-open", "", id="a bad pattern where classic let != pass"),
        pytest.param("bad-regexp-matches-nothing", "", id="a bad pattern where classic found nothing"),
        pytest.param("bad-label-json-ignored", "not a JSON array", id="a malformed label where classic ignored it"),
        pytest.param("bad-label-json-partly-read", "not a JSON array", id="a label with other things than texts"),
        pytest.param("whitelist-not-equal-is-equal", "==", id="a whitelist with != where classic read =="),
        pytest.param("unicode-fold-in-grammar", "", id="letters that only look like ours"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_the_reason(answers: list[Answered], kind: str, because: str) -> None:
    for _, answer in of_kind(answers, kind):
        assert (answer.node, answer.error, answer.pass_) == (None, REFUSED, 2)
        assert because in answer.message


def test_a_slash_is_refused_even_where_classic_never_looked_at_it_but_names_a_node_in_a_whitelist(
    answers: list[Answered],
) -> None:
    beside_another, whitelisted = of_kind(answers, "slash-value-no-panic")
    assert beside_another[1].error == REFUSED
    assert is_classics(whitelisted)


def test_a_quantifier_that_falls_on_the_added_anchor_is_kept_as_classic_reads_it(answers: list[Answered]) -> None:
    # It is a valid pattern: what is not * in a value keeps its meaning, and we compile the same text.
    assert all(map(is_classics, of_kind(answers, "operator-on-the-anchor")))


def test_a_prefix_of_both_ids_of_one_container_means_that_container(answers: list[Answered]) -> None:
    both, only_one = of_kind(answers, "prefix-counted-twice")
    assert (both[1].node, both[1].error) == ("n0", None)
    assert is_classics(only_one)


def test_a_container_that_is_not_created_yet_holds_its_exposed_ports_too(answers: list[Answered]) -> None:
    pending, created = of_kind(answers, "pending-host-ports-invisible")
    assert (pending[1].node, pending[1].error) == (None, "port")
    assert is_classics(created)


def test_a_container_that_is_not_created_yet_counts_even_if_it_is_larger_than_its_node(answers: list[Answered]) -> None:
    ((line, answer),) = of_kind(answers, "oversize-pending-not-counted")
    assert (line["expect"], answer.node) == ({"nodes": ["n0"]}, "n1")
