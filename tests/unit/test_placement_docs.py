"""docs/placement.md's expressions mean what they are said to mean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from swarmkeeper.domain.placement.expressions import InvalidExpression, parse
from swarmkeeper.edge.patterns import compile_re2

PAGE = (Path(__file__).parents[2] / "docs" / "placement.md").read_text(encoding="utf-8")


def first_column(heading: str) -> list[str]:
    """The code in the first column of the table with this heading."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [code.replace("\\|", "|") for code in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)]


@pytest.mark.parametrize("raw", first_column("expression"))
def test_expressions_that_are_explained_are_accepted(raw: str) -> None:
    parse(raw, compile_re2)


@pytest.mark.parametrize("raw", first_column("refused"))
def test_expressions_that_are_said_to_be_refused_are(raw: str) -> None:
    with pytest.raises(InvalidExpression):
        parse(raw, compile_re2)


def test_there_is_something_to_check() -> None:
    assert (len(first_column("expression")), len(first_column("refused"))) == (9, 7)
