"""Event patterns: moto's matching, with the patterns that it would silently accept refused as AWS refuses them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from moto.events.models import EventPattern
from moto.events.utils import EventMessageType

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
OPERATORS = frozenset(
    {"prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "cidr", "exists", "wildcard"}
)


class InvalidPatternError(ValueError):
    """AWS would refuse the rule."""


def matches(pattern_json: str, event: Mapping[str, object]) -> bool:
    """Whether a rule's pattern matches an event (as its targets get it). Raises InvalidPatternError."""
    return bool(_loaded(pattern_json).matches_event(cast(EventMessageType, event)))


@lru_cache(maxsize=256)
def _loaded(pattern_json: str) -> EventPattern:
    check(pattern_json)
    return EventPattern.load(pattern_json)


def check(pattern_json: str) -> None:
    """Raise InvalidPatternError when AWS would refuse the pattern: unknown operators match everything in moto."""
    try:
        pattern = json.loads(pattern_json)
    except json.JSONDecodeError as error:
        raise InvalidPatternError(f"the event pattern isn't JSON: {error}") from error
    _check_node(pattern, "")


def _check_node(node: object, path: str) -> None:
    if not isinstance(node, dict) or not node:
        raise InvalidPatternError(f"{path or 'the event pattern'} must be an object with at least one field")
    for key, value in node.items():
        where = f"{path}.{key}" if path else str(key)
        if key == "$or":
            for branch in value:
                _check_node(branch, where)
        elif isinstance(value, dict):
            _check_node(value, where)
        else:
            _check_values(value, where)


def _check_values(values: object, path: str) -> None:
    if not isinstance(values, list) or not values:
        raise InvalidPatternError(f"{path} must be an object or an array with at least one value")
    for value in values:
        if isinstance(value, list):
            raise InvalidPatternError(f"{path} has an array in its array")
        if isinstance(value, dict) and (len(value) != 1 or not OPERATORS.issuperset(value)):
            raise InvalidPatternError(f"{path} has an unknown operator: {', '.join(value) or 'none'}")
