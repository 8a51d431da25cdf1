"""Nothing that a caller can write makes placement fail in a way that is not its answer."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import pytest

from swarmkeeper.domain.placement.expressions import InvalidExpression, parse, parse_whitelist
from swarmkeeper.domain.placement.reasons import Reason
from swarmkeeper.edge.cases import INVALID_EXPRESSION, cases_in, decide_case
from swarmkeeper.edge.clusters import BadFile
from swarmkeeper.edge.patterns import compile_re2
from tests.conformance.data import CASES, lines_of

EXPRESSIONS = 20_000
CASES_MUTATED = 6_000
"""With the expressions above 26,000 inputs; of the smallest clusters, since what is read is the same in all."""
KEYS = ("node", "container", "image", "app", "x", "", "1a", "_y", "a.b-c", "com.docker.swarm.id", "\u212aey")
PIECES = (
    *("==", "!=", "=", "!", "~", "/", "*", ".", "?", "+", "|", "(", ")", "[", "]", "^", "$", "\\", "-", ":", " ", "_"),
    *("a", "Z", "0", "node-1", "(?i)", "(?:", "(?P<n>", "[[:alpha:]]", "[^", "\\Q", "\\E", "\\C", "\\pL", "\\x41"),
    *("\\z", "\\d", "a**", "{1,3}", "\n", "\v", "\x00", "é", "\ud800", "\u202e", "a" * 300, ".*" * 200, ","),
)
TEXTS = ("", "a", "node-1", "a\nb", "é\ud800", "ab" * 100)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, 0, 1, -1, 2**63, 2**70, 1.5, "", "x", "0", [], {}, [None], [5], ["x"], {"x": "y"}, {"x": 5}, "\x00"),
    *(
        ["constraint:a=b"],
        ["constraint:aa==~/[/"],
        ["affinity:image!=" + "*" * 500],
        ["whitelist:node!=a"],
        "::",
        "9" * 99,
    ),
)
CATEGORIES = {reason.value for reason in Reason} | {INVALID_EXPRESSION, None}


def test_any_text_is_an_expression_or_refused() -> None:
    chance = Random(20)
    accepted = 0
    for _ in range(EXPRESSIONS):
        raw = an_expression(chance)
        for read in (lambda text: parse(text, compile_re2), parse_whitelist):
            try:
                expression = read(raw)
            except InvalidExpression as refused:
                assert refused.problem
                continue
            accepted += 1
            assert expression.matches(*TEXTS) in (True, False)
    assert accepted > EXPRESSIONS // 20


def an_expression(chance: Random) -> str:
    body = "".join(chance.choices(PIECES, k=chance.choice((0, 1, 2, 3, 5, 8, 20))))
    if chance.random() < 0.8:
        body = f"{chance.choice(KEYS)}{chance.choice(('==', '!=', '=='))}{chance.choice(('', '~', '/'))}{body}"
    return f"{body}/" if chance.random() < 0.3 else body


def test_any_case_is_answered_or_refused(tmp_path: Path) -> None:
    chance = Random(21)
    originals = [case for case in lines_of(CASES) if len(case["nodes"]) <= 3]
    answered = 0
    for number in range(CASES_MUTATED):
        case = json.loads(json.dumps(chance.choice(originals)))
        for _ in range(chance.choice((1, 1, 2))):
            mutate(case, chance)
        path = tmp_path / f"{number % 10}.jsonl"
        path.write_text(torn(json.dumps(case), chance), encoding="utf-8")
        try:
            answers = [decide_case(each) for each in cases_in(path)]
        except BadFile as refused:
            assert str(refused)
            continue
        answered += len(answers)
        assert {each.error for each in answers} <= CATEGORIES
    assert answered > CASES_MUTATED // 5


def mutate(value: dict[str, Any], chance: Random) -> None:
    """Change one value somewhere inside, of the request twice as often."""
    here: Any = value
    if isinstance(value.get("request"), dict) and chance.random() < 0.6:
        here = value["request"]
        if not here or chance.random() < 0.3:
            here[chance.choice(("env", "labels", "ports", "links", "cpus", "network_mode"))] = deepcopy(
                chance.choice(ODD_VALUES)
            )
            return
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(here[key], dict | list) and here[key] and chance.random() < 0.8:
            here = here[key]
            continue
        here[key] = an_expression(chance) if chance.random() < 0.4 else deepcopy(chance.choice(ODD_VALUES))
        return


def torn(text: str, chance: Random) -> str:
    if chance.random() < 0.95:
        return text
    at = chance.randrange(len(text))
    return text[:at] + chance.choice(("", "\x00", "]", "}", '"', "\\")) + text[at + 1 :]


@pytest.mark.parametrize(
    "label", ["[" * 100_000, "[" + "1" * 5_000 + "]", '["\\ud800==x"]', "[NaN]", "\ufeff[]", '{"a":1}']
)
def test_any_label_is_read_or_refused(tmp_path: Path, label: str) -> None:
    node = {"id": "n", "name": "n", "labels": {}, "health": 100, "cpus": 1, "memory": 1, "images": [], "containers": []}
    request = {"labels": {"com.docker.swarm.constraints": label}}
    case = {"id": "x", "strategy": "spread", "nodes": [node], "request": request}
    path = tmp_path / "case.jsonl"
    path.write_text(json.dumps(case), encoding="utf-8")
    (answer,) = (decide_case(each) for each in cases_in(path))
    assert answer.error == INVALID_EXPRESSION
