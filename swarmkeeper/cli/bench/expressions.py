"""What the costliest expressions cost that the limits on patterns let through."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated

import re2  # type: ignore[import-untyped]  # it ships no types
import typer
from rich.console import Console
from rich.progress import track

from swarmkeeper.cli import output
from swarmkeeper.cli.bench.figures import machine, tell
from swarmkeeper.domain.placement.expressions import Expression, InvalidExpression, parse
from swarmkeeper.edge.patterns import PATTERN_CHARACTERS_MAX, compile_re2

LIMIT_MS = 10.0
TEXT_CHARACTERS = (64, 4096)
"""The lengths of a container's id, and of a very long label."""
SUSPECT_MS = 4.0
TRIES = 3
ATOMS = (
    *(
        "a",
        "b",
        ".",
        ".*",
        "*",
        "?",
        "+",
        "|",
        "(",
        ")",
        "[ab]",
        "[^a]",
        "^",
        "$",
        "(?i)",
        "(?s)",
        "(?:",
        "a*",
        "(a|b)",
    ),
    *(
        r"\d",
        r"\w",
        r"\W",
        r"\S",
        r"\b",
        r"\pL",
        r"\PL",
        r"\pN",
        r"[\pL\pN]",
        r"\Q",
        r"\E",
        "[[:alpha:]]",
        ".?",
        "[ab]*",
    ),
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OutputOption = Annotated[Path | None, typer.Option("--output", help="Also write the JSON to this file.")]


@dataclass(frozen=True, slots=True)
class Cost:
    """An expression's cost in milliseconds: to parse or refuse it, and to match the text it takes longest for."""

    expression: str
    accepted: bool
    parse_ms: float
    match_ms: float

    @property
    def worst_ms(self) -> float:
        return max(self.parse_ms, self.match_ms)


def expressions(
    count: Annotated[int, typer.Option(min=0, help="Random expressions beside the adversarial ones.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Of the random expressions.")] = 1,
    json: JsonOption = False,
    output_: OutputOption = None,
) -> None:
    """Time expressions made to be slow, and random ones; exit status 1 when one takes longer than 10 ms."""
    values = [*adversarial(), *random_values(count, random.Random(seed))]  # noqa: S311  not for secrets
    report = summary([cost_of(value) for value in track(values, console=Console(stderr=True), transient=True)])
    tell({**report, **machine()}, as_json=json, output=output_)
    if report["over_limit"]:
        raise typer.Exit(output.REFUSED)


def summary(costs: list[Cost]) -> dict[str, object]:
    """The figures of all expressions, the slowest by name."""
    worst = max(costs, key=lambda cost: cost.worst_ms)
    return {
        "accepted": sum(cost.accepted for cost in costs),
        "refused": sum(not cost.accepted for cost in costs),
        "parse_ms_p99": _p99([cost.parse_ms for cost in costs]),
        "parse_ms_max": round(max(cost.parse_ms for cost in costs), 3),
        "match_ms_p99": _p99([cost.match_ms for cost in costs]),
        "match_ms_max": round(max(cost.match_ms for cost in costs), 3),
        "worst_expression": worst.expression[:120],
        "text_characters": list(TEXT_CHARACTERS),
        "limit_ms": LIMIT_MS,
        "over_limit": sum(cost.worst_ms > LIMIT_MS for cost in costs),
    }


def adversarial() -> Iterator[str]:
    """Values that are slow to read, slow to compile, or slow to match, each in many lengths."""
    for length in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 200, 250, 300, 350, 400, 430, 440, 450, 500, 600, 800, 1000):
        yield f"/[ab]*a{'[ab]' * length}/"
        yield f"/(a|b)*a{'(a|b)' * length}/"
        yield f"/(a|.)*a{'.' * length}/"
        yield f"/(?i)(a|.)*a{'.' * length}/"
        yield f"/(.|a)*b{'.?' * length}$/"
        yield "*" * length
        yield f"/{'(a?)' * length}{'a' * length}/"
        yield f"/{'(' * length}a{')*' * length}/"
        yield f"/(?i){'k' * length}/"
        yield "|".join("ab" for _ in range(length))
        for unicode_class in (r"\pL", r"\PL", r"[\pL\pN]", r"[^\pL]", r"\W", r"\S", "[^a]"):
            yield f"/{unicode_class * length}/"
            yield f"/(?i){unicode_class * length}/"
            yield f"/(?i)({unicode_class}|a)*b{unicode_class * length}/"
            yield f"/(?i){'|'.join(unicode_class for _ in range(length))}/"
            yield f"/(?i)[{unicode_class.strip('[]^') * length}]+$/"


def random_values(count: int, chance: random.Random) -> Iterator[str]:
    """Values of random pieces, often long."""
    for _ in range(count):
        pieces = chance.choices(ATOMS, k=chance.choice((3, 6, 12, 50, 300)))
        value = "".join(pieces)[:PATTERN_CHARACTERS_MAX]
        yield f"/{value}/" if chance.random() < 0.7 else value


def cost_of(value: str) -> Cost:
    """What the expression `key==value` costs. A slow one is timed again, lest something else made it slow."""
    cost = _timed(value)
    for _ in range(TRIES - 1):
        if cost.worst_ms < SUSPECT_MS:
            break
        again = _timed(value)
        cost = replace(cost, parse_ms=min(cost.parse_ms, again.parse_ms), match_ms=min(cost.match_ms, again.match_ms))
    return cost


def _timed(value: str) -> Cost:
    """The first parse and the first match with each text: later ones find more prepared."""
    raw = f"key=={value}"
    match_ms = 0.0
    parse_ms, expression = _parsed(raw)
    if expression is not None:
        for text in texts():
            _, fresh = _parsed(raw)
            began = time.thread_time()
            (fresh or expression).matches(text)
            match_ms = max(match_ms, (time.thread_time() - began) * 1000)
    return Cost(raw, expression is not None, parse_ms, match_ms)


def _parsed(raw: str) -> tuple[float, Expression | None]:
    re2.purge()  # it keeps compiled patterns
    began = time.thread_time()
    try:
        expression = parse(raw, compile_re2)
    except InvalidExpression:
        expression = None
    return (time.thread_time() - began) * 1000, expression


@cache
def texts() -> tuple[str, ...]:
    """Texts that keep a matcher busy: nothing in them ends the search early."""
    chance = random.Random(2)  # noqa: S311  not for secrets
    return tuple(
        "".join(chance.choices(alphabet, k=length)) for length in TEXT_CHARACTERS for alphabet in ("a", "ab", "aé語k")
    )


def _p99(values: list[float]) -> float:
    return round(sorted(values)[len(values) * 99 // 100], 3)
