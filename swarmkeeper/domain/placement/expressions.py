"""Expressions such as `disk==ssd`, `region!=~eu-*` and `node==/^i-0a/`, with classic Swarm's grammar.

key    [A-Za-z_][A-Za-z0-9\\-_.]+     two characters or more
op     ==  (looked for first)  or  !=
value  letters digits : - _ space . * / ( ) ? + [ ] \\ ^ $ |, not empty; a leading ~ means soft
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from swarmkeeper.domain.placement.patterns import Matcher, PatternCompiler, UnsupportedPattern

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9\-_.]+")
# One = or ! may stand first, so that `k===~x` is hard with the value `=~x`, as classic reads it.
VALUE = re.compile(r"[=!/]?~?[A-Za-z0-9:\-_ \t\n\f\r.*/()?+\[\]\\^$|]+")
PLAIN = re.compile(r"[^.*()?+\[\]\\^$|]+")
SIMPLE = re.compile(r"[^.*()?+\[\]\\^$|\n]+")
"""A literal that * may stand before or after without anything special between."""
EXPRESSION_CHARACTERS_MAX = 16_384
"""Room for a whitelist of a thousand names; patterns have a limit of their own."""
PARSED_KEPT = 1024


class InvalidExpression(ValueError):
    """An expression that can't be understood; the request that holds it is refused, even if it is soft."""

    def __init__(self, expression: str, problem: str) -> None:
        super().__init__(f"expression {expression!r}: {problem}")
        self.expression = expression
        self.problem = problem


class Operator(StrEnum):
    """How the value is compared."""

    EQUAL = "=="
    NOT_EQUAL = "!="


OPERATORS = tuple(Operator)
"""In the order in which they are looked for; going through the class itself takes many times as long."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; `value` is without its soft mark."""

    key: str
    op: Operator
    soft: bool
    value: str
    matcher: Matcher = field(compare=False, repr=False)

    def matches(self, *texts: str) -> bool:
        """Whether any of the texts matches the value; for `!=`, whether none does."""
        found = any(self.matcher(text) for text in texts)
        return found if self.op is Operator.EQUAL else not found

    def __str__(self) -> str:
        return f"{self.key}{self.op}{'~' if self.soft else ''}{self.value}"


def parse(raw: str, compile_pattern: PatternCompiler) -> Expression:
    """Parse one expression. Raises InvalidExpression."""
    key, operator, soft, value = _parts(raw)
    try:
        return Expression(key, operator, soft, value, matcher_for(value, compile_pattern))
    except UnsupportedPattern as problem:
        raise InvalidExpression(raw, str(problem)) from problem


def parse_whitelist(raw: str) -> Expression:
    """Parse one whitelist, `node==a|b`: names of nodes, compared as they are, whatever the key.

    Raises InvalidExpression, also for `!=`: classic Swarm took it for `==`, the opposite of what it says.
    """
    key, operator, soft, value = _parts(raw)
    if operator is Operator.NOT_EQUAL:
        raise InvalidExpression(raw, "a whitelist names nodes with ==; to exclude one use a constraint (node!=a)")
    return Expression(key, operator, soft, value, frozenset(value.split("|")).__contains__)


def _parts(raw: str) -> tuple[str, Operator, bool, str]:
    """Key, operator, whether it is soft, and the value without its soft mark. Raises InvalidExpression."""
    if len(raw) > EXPRESSION_CHARACTERS_MAX:
        raise InvalidExpression(f"{raw[:40]}…", f"has {len(raw)} characters, more than {EXPRESSION_CHARACTERS_MAX}")
    for operator in OPERATORS:
        if operator in raw:
            break
    else:
        raise InvalidExpression(raw, "has neither == nor !=")
    key, _, value = raw.partition(operator)
    if not KEY.fullmatch(key):
        raise InvalidExpression(raw, f"key {key!r} must be two or more of A-Z a-z 0-9 - _ . and begin with a letter")
    if not VALUE.fullmatch(value):
        raise InvalidExpression(raw, f"value {value!r} is empty or has a character that values can't have")
    return key, operator, value.startswith("~"), value.removeprefix("~")


def _containing(literal: str) -> Matcher:
    """What a pattern without special characters comes to, ten times cheaper."""
    return lambda text: literal in text


def _with_stars(value: str, literal: str) -> Matcher:
    """What * at the ends comes to: any characters but a line break."""
    if not value.endswith("*"):
        return lambda text: text.endswith(literal) and "\n" not in text
    if not value.startswith("*"):
        return lambda text: text.startswith(literal) and "\n" not in text
    return lambda text: literal in text and "\n" not in text


def is_plain(value: str) -> bool:
    """Whether the value is compared as it is, being no pattern."""
    return PLAIN.fullmatch(value) is not None and not value.startswith("/")


def matcher_for(value: str, compile_pattern: PatternCompiler) -> Matcher:
    """`/re/` is searched for; anything else must be the whole text, with * for any characters.

    In the latter the other characters keep their meaning in patterns, as in classic Swarm. Raises
    UnsupportedPattern.
    """
    if is_plain(value):
        return value.__eq__
    if value == "/":
        raise UnsupportedPattern("a single / is not a pattern")
    if value.startswith("/") and value.endswith("/"):
        return _containing(value[1:-1]) if PLAIN.fullmatch(value[1:-1]) else compile_pattern(value[1:-1])
    if PLAIN.fullmatch(value):
        return value.__eq__
    literal = value.strip("*")
    if value in (f"*{literal}", f"{literal}*", f"*{literal}*") and SIMPLE.fullmatch(literal):
        return _with_stars(value, literal)
    return compile_pattern(f"^{value.replace('*', '.*')}$")


@lru_cache(PARSED_KEPT)  # the same few expressions stand in thousands of requests
def _parse_kept(raw: str, compile_pattern: PatternCompiler) -> Expression:
    return parse(raw, compile_pattern)


_parse_whitelist_kept = lru_cache(PARSED_KEPT)(parse_whitelist)


def parse_all(raws: Sequence[str], compile_pattern: PatternCompiler) -> tuple[Expression, ...]:
    """Parse expressions in their order. Raises InvalidExpression for the first bad one."""
    return tuple([_parse_kept(raw, compile_pattern) for raw in raws]) if raws else ()


def parse_whitelists(raws: Sequence[str]) -> tuple[Expression, ...]:
    """Parse whitelists in their order. Raises InvalidExpression for the first bad one."""
    return tuple([_parse_whitelist_kept(raw) for raw in raws]) if raws else ()
