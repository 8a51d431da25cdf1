from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from swarmkeeper.domain.placement.expressions import Expression, InvalidExpression, Operator, parse_whitelists
from swarmkeeper.domain.placement.expressions import parse as parse_with
from swarmkeeper.edge.patterns import compile_re2


def parse(raw: str) -> Expression:
    return parse_with(raw, compile_re2)


@pytest.mark.parametrize(
    ("raw", "key", "op", "soft", "value"),
    [
        pytest.param("disk==ssd", "disk", "==", False, "ssd", id="equal"),
        pytest.param("disk!=ssd", "disk", "!=", False, "ssd", id="not equal"),
        pytest.param("disk==~ssd", "disk", "==", True, "ssd", id="soft"),
        pytest.param("disk!=~ssd", "disk", "!=", True, "ssd", id="soft not equal"),
        pytest.param("disk===~x", "disk", "==", False, "=~x", id="a third = belongs to a hard value"),
        pytest.param("disk==!~x", "disk", "==", False, "!~x", id="a ! after == belongs to a hard value"),
        pytest.param("_x==/^$/", "_x", "==", False, "/^$/", id="key from an underscore"),
        pytest.param("a.b-c_1==a b", "a.b-c_1", "==", False, "a b", id="spaces in values"),
        pytest.param("disk==/~x/", "disk", "==", False, "/~x/", id="~ after a slash is not soft"),
    ],
)
def test_an_expression_is_read_as_classic_swarm_reads_it(raw: str, key: str, op: str, soft: bool, value: str) -> None:
    parsed = parse(raw)
    assert (parsed.key, parsed.op, parsed.soft, parsed.value) == (key, Operator(op), soft, value)


@pytest.mark.parametrize(
    "raw",
    [
        *("node=x", "node==", "n==x", "node==~", "node==~~x", "1x==y", "no$de==x", "node", "", "==x", "a!=b==c"),
        *("node==a,b", "node=={x}", "node==é", "node==a;b", 'node=="x"'),
        *("node==/", "node==~/"),
    ],
)
def test_a_bad_expression_is_an_error_that_names_it(raw: str) -> None:
    with pytest.raises(InvalidExpression) as caught:
        parse(raw)
    assert caught.value.expression == raw
    assert repr(raw) in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        pytest.param("ssd", "ssd", True, id="literal"),
        pytest.param("ssd", "ssd2", False, id="literal is the whole text"),
        pytest.param("SSD", "ssd", False, id="case counts"),
        pytest.param("eu-*", "eu-west", True, id="glob at the end"),
        pytest.param("*west", "eu-west", True, id="glob at the start"),
        pytest.param("e*-w*t", "eu-west", True, id="globs inside"),
        pytest.param("e*-w*x", "eu-west", False, id="glob needs the rest"),
        pytest.param("*", "", True, id="glob takes nothing"),
        pytest.param("*", "a\nb", False, id="glob takes no line end"),
        pytest.param("4.9.4", "4x9y4", True, id="a dot is any character"),
        pytest.param("node-1|node-2", "node-1b", True, id="an alternative takes its own anchor only"),
        pytest.param("node-1|node-2", "xnode-2", True, id="and the last one the end"),
        pytest.param("node-1|node-2", "xnode-1", False, id="the first keeps the start"),
        pytest.param(r"node\-1", "node-1", True, id="escaped punctuation"),
        pytest.param("/ode/", "node-1", True, id="a search is unanchored"),
        pytest.param("/^ode/", "node-1", False, id="start"),
        pytest.param("/e-1$/", "node-1", True, id="end"),
        pytest.param("/e-1$/", "node-1\n", False, id="the end is the very end"),
        pytest.param("//", "anything", True, id="an empty search finds"),
        pytest.param("/^$/", "", True, id="empty text"),
        pytest.param("/^$/", "x", False, id="not empty"),
        pytest.param("/[ab]c+d?/", "xbcc", True, id="classes and quantifiers"),
        pytest.param("/^[^-]*$/", "a-b", False, id="negated class"),
        pytest.param("/[]a]x/", "]x", True, id="] first in a class"),
        pytest.param("/[a-]x/", "-x", True, id="- last in a class"),
        pytest.param(r"/^\d+\.\d+$/", "3.10", True, id="digits"),
        pytest.param(r"/^\d+\.\d+$/", "3x10", False, id="escaped dot"),
        pytest.param(r"/^\W\S\D$/", "-ax", True, id="negated escapes"),
        pytest.param("/^a.*?b$/", "a--b", True, id="lazy finds the same"),
        pytest.param("/^n1$|^n$/", "n", True, id="alternatives"),
        pytest.param("^", "", True, id="a start alone is the empty text"),
        pytest.param("x|", "xyz", True, id="an empty alternative"),
        pytest.param("node-(1|2)", "node-2", True, id="groups"),
        pytest.param("/(?i)NODE/", "node-1", True, id="flags"),
        pytest.param("+", "", True, id="a quantifier of the anchor"),
        pytest.param("+", "x", False, id="which is all there is"),
        pytest.param("ssd\\", "ssd$", True, id="a last backslash escapes the added $"),
    ],
)
def test_a_value_matches_as_in_classic_swarm(value: str, text: str, expected: bool) -> None:
    assert parse(f"key=={value}").matches(text) is expected
    assert parse(f"key!={value}").matches(text) is not expected


@pytest.mark.parametrize("value", ["(a", "a)", "/[a/", "/[b-a]/", "/a**/", "*+", "x[", r"/\Z/", r"/\pQ/", r"/\C/"])
def test_an_invalid_pattern_is_refused_where_classic_swarm_let_not_equal_pass(value: str) -> None:
    for operator in ("==", "!=", "==~"):
        with pytest.raises(InvalidExpression):
            parse(f"key{operator}{value}")


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ("node==a", {"a"}),
        ("node==~a|b", {"a", "b"}),
        ("any==/", {"/"}),
        ("node==(a", {"(a"}),
        ("node==/a|b/", {"/a", "b/"}),
    ],
)
def test_a_whitelist_takes_names_as_they_are(raw: str, names: set[str]) -> None:
    (whitelist,) = parse_whitelists((raw,))
    assert [name for name in ("a", "b", "/", "(a", "/a", "b/", "") if whitelist.matches(name)] == sorted(
        names, key=["a", "b", "/", "(a", "/a", "b/", ""].index
    )


@pytest.mark.parametrize("raw", ["node!=a", "node!=~a", "n==a", "node==", "node==~"])
def test_a_whitelist_that_does_not_name_nodes_is_refused(raw: str) -> None:
    with pytest.raises(InvalidExpression):
        parse_whitelists((raw,))


def test_a_very_long_expression_is_refused_without_being_repeated() -> None:
    with pytest.raises(InvalidExpression) as caught:
        parse("node==" + "a" * 20_000)
    assert len(str(caught.value)) < 200


def test_not_equal_holds_only_when_no_text_matches() -> None:
    assert not parse("node!=b").matches("a", "b")
    assert parse("node==b").matches("a", "b")


def test_another_pattern_compiler_can_be_given() -> None:
    assert parse_with("key==/(x)/", compile_pattern=lambda pattern: lambda text: pattern == "(x)").matches("anything")


def test_a_pattern_that_ruins_backtracking_is_matched_in_linear_time() -> None:
    # A backtracking matcher would need longer than the universe is old.
    assert not parse(f"key=={'a*' * 30}b").matches("a" * 2_000)


def test_an_expression_can_not_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        parse("disk==ssd").value = "x"  # type: ignore[misc]  # that is the point
