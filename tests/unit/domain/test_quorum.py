"""No step that is allowed leaves the managers without a majority, even if the one that moves fails at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmkeeper.domain.quorum import Votes, majority, why_not_come, why_not_go, why_not_lost

VOTES = st.dictionaries(st.sampled_from("abcdefg"), st.booleans(), min_size=1)


@pytest.mark.parametrize(("managers", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_a_majority_is_more_than_half(managers: int, needed: int) -> None:
    assert majority(managers) == needed


@given(votes=VOTES, name=st.sampled_from("abcdefg"))
def test_those_that_remain_are_a_quorum_of_themselves(votes: Votes, name: str) -> None:
    others = {each: reached for each, reached in votes.items() if each != name}
    allowed = why_not_go(name, votes) == ""
    assert allowed == (2 * sum(others.values()) > len(others))


@given(votes=VOTES.filter(lambda votes: len(votes) > 1))
def test_a_newcomer_that_fails_at_once_costs_nothing(votes: Votes) -> None:
    allowed = why_not_come("new", votes) == ""
    assert allowed == (2 * sum(votes.values()) > len(votes) + 1)


def test_beside_a_single_manager_a_second_one_may_come() -> None:
    assert why_not_come("b", {"a": True}) == ""


def test_one_that_has_joined_already_and_is_asked_again_is_not_counted_twice() -> None:
    assert why_not_come("b", {"a": True, "b": False}) == ""


@given(votes=VOTES, name=st.sampled_from("abcdefg"))
def test_a_silent_manager_is_given_up_only_against_a_majority_of_all(votes: Votes, name: str) -> None:
    others = sum(reached for each, reached in votes.items() if each != name)
    assert (why_not_lost(name, votes) == "") == (2 * others > len(votes))


@pytest.mark.parametrize(
    ("votes", "told"),
    [
        ({"a": True}, "it is the only manager"),
        (
            {"a": True, "b": True, "c": False},
            "of the 2 managers that would remain 1 can be reached, which is no quorum",
        ),
    ],
)
def test_a_refusal_says_why(votes: Votes, told: str) -> None:
    assert why_not_go("a", votes) == told
