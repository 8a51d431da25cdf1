"""Patterns of expressions, matched in linear time: the part of RE2's syntax that needs no group.

Supported: literals, `.`, classes such as `[a-z0-9]`, `\\d \\w \\s` and their negations, escaped punctuation,
`?` `*` `+` (lazy too), `|`, `^` first and `$` last in an alternative. Everything else is refused, never
guessed. Another compiler (RE2) may be given wherever `compile_pattern` is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Matcher = Callable[[str], bool]
"""Whether the pattern is found anywhere in a text."""
PatternCompiler = Callable[[str], Matcher]

DIGIT = (("0", "9"),)
WORD = (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z"))
SPACE = (("\t", "\n"), ("\f", "\r"), (" ", " "))  # as RE2: no vertical tab
CLASS_ESCAPES = {"d": DIGIT, "w": WORD, "s": SPACE}
CONTROL_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class UnsupportedPattern(ValueError):
    """The pattern is wrong, or uses what the linear matcher doesn't know."""


@dataclass(frozen=True, slots=True)
class CharSet:
    """Characters by inclusive ranges, or all others."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def __contains__(self, char: str) -> bool:
        return any(first <= char <= last for first, last in self.ranges) is not self.negated


@dataclass(frozen=True, slots=True)
class Item:
    """One character of the text, with how often it may stand."""

    chars: CharSet
    optional: bool = False
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """One alternative: items in sequence, perhaps bound to the text's ends."""

    items: tuple[Item, ...]
    at_start: bool
    at_end: bool

    def found_in(self, text: str) -> bool:
        """Follow all positions in the pattern at once (Thompson): len(text) * len(items) steps at most."""
        done = len(self.items)
        begin = self._skip_optional({0})
        alive = begin
        for char in text:
            if done in alive and not self.at_end:
                return True
            alive = self._skip_optional(self._step(alive, char))
            if not self.at_start:
                alive |= begin
            if not alive:
                return False
        return done in alive

    def _step(self, alive: set[int], char: str) -> set[int]:
        after: set[int] = set()
        for position in alive:
            if position < len(self.items) and char in self.items[position].chars:
                after.add(position + 1)
                if self.items[position].repeats:
                    after.add(position)
        return after

    def _skip_optional(self, alive: set[int]) -> set[int]:
        for position in sorted(alive):
            following = position
            while following < len(self.items) and self.items[following].optional:
                following += 1
                alive.add(following)
        return alive


def compile_linear(pattern: str) -> Matcher:
    """A matcher for the pattern. Raises UnsupportedPattern saying what is not understood."""
    branches = _Parser(pattern).branches()
    return lambda text: any(branch.found_in(text) for branch in branches)


class _Parser:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def branches(self) -> tuple[Branch, ...]:
        found = [self._branch()]
        while self._take("|"):
            found.append(self._branch())
        return tuple(found)

    def _branch(self) -> Branch:
        at_start = self._take("^")
        while self._take("^"):  # repeated it says the same: the value `^` becomes the pattern `^^$`
            pass
        items: list[Item] = []
        while self._next() not in ("", "|", "$"):
            items.append(self._item())
        at_end = self._take("$")
        if self._next() not in ("", "|"):
            raise UnsupportedPattern("$ must end an alternative")
        return Branch(tuple(items), at_start, at_end)

    def _item(self) -> Item:
        chars = self._chars()
        quantifier = self._next() if self._next() in ("?", "*", "+") else ""
        self._at += len(quantifier)
        if quantifier:
            self._take("?")  # lazy or greedy: the same texts match
        return Item(chars, optional=quantifier in ("?", "*"), repeats=quantifier in ("*", "+"))

    def _chars(self) -> CharSet:
        char = self._advance()
        if char == ".":
            return CharSet((("\n", "\n"),), negated=True)
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        if char in "?*+":
            raise UnsupportedPattern(f"{char} repeats nothing")
        if char in "()":
            raise UnsupportedPattern("groups are not supported")
        if char == "^":
            raise UnsupportedPattern("^ must begin an alternative")
        return CharSet(((char, char),))

    def _escape(self) -> CharSet:
        if self._next() == "":
            raise UnsupportedPattern("nothing follows the last \\")
        char = self._advance()
        if char.lower() in CLASS_ESCAPES:
            return CharSet(CLASS_ESCAPES[char.lower()], negated=char.isupper())
        literal = CONTROL_ESCAPES.get(char, char)
        if literal == char and char.isalnum():
            raise UnsupportedPattern(f"\\{char} is not supported")
        return CharSet(((literal, literal),))

    def _class(self) -> CharSet:
        negated = self._take("^")
        ranges: list[tuple[str, str]] = []
        while not ranges or self._next() != "]":  # a ] that stands first is a character
            if self._next() == "":
                raise UnsupportedPattern("missing ]")
            ranges.extend(self._class_part())
        self._at += 1
        return CharSet(tuple(ranges), negated)

    def _class_part(self) -> tuple[tuple[str, str], ...]:
        first = self._class_chars()
        if self._next() != "-" or self._pattern[self._at + 1 : self._at + 2] in ("]", ""):
            return first
        self._at += 1
        last = self._class_chars()
        ends = (*first, *last)
        if len(ends) != 2 or any(low != high for low, high in ends) or ends[0] > ends[1]:
            raise UnsupportedPattern("a range of characters runs backwards or has a class for an end")
        return ((ends[0][0], ends[1][0]),)

    def _class_chars(self) -> tuple[tuple[str, str], ...]:
        char = self._advance()
        if char == "[" and self._next() == ":":
            raise UnsupportedPattern("named classes are not supported")
        if char != "\\":
            return ((char, char),)
        chars = self._escape()
        if chars.negated:
            raise UnsupportedPattern("a negated class inside a class is not supported")
        return chars.ranges

    def _next(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _advance(self) -> str:
        char = self._next()
        if not char:
            raise UnsupportedPattern("ends too early")
        self._at += 1
        return char

    def _take(self, char: str) -> bool:
        taken = self._next() == char
        self._at += taken
        return taken
