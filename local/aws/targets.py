"""What a target of an EventBridge rule gets: the event, a part of it, a constant, or a transformed text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.aws.arns import Arn

_VARIABLE = re.compile(r"<([\w.\-]+)>")
_QUOTED_OR_VARIABLE = re.compile(r'"(?:\\.|[^"\\])*"|<[\w.\-]+>')


@dataclass(frozen=True, slots=True)
class Target:
    """One target of a rule."""

    arn: str
    constant: str | None = None
    path: str | None = None
    template: str | None = None
    template_paths: Mapping[str, str] = field(default_factory=dict)
    message_group: str = ""
    dead_letter_arn: str = ""

    @property
    def service(self) -> str:
        """`sqs`, `lambda`, ..."""
        return Arn.parse(self.arn).service

    @classmethod
    def from_api(cls, described: Mapping[str, object]) -> Target:
        """A target as ListTargetsByRule gives it."""
        transformer = _mapping(described.get("InputTransformer"))
        return cls(
            arn=str(described["Arn"]),
            constant=_text(described.get("Input")),
            path=_text(described.get("InputPath")),
            template=_text(transformer.get("InputTemplate")),
            template_paths={key: str(path) for key, path in _mapping(transformer.get("InputPathsMap")).items()},
            message_group=str(_mapping(described.get("SqsParameters")).get("MessageGroupId", "")),
            dead_letter_arn=str(_mapping(described.get("DeadLetterConfig")).get("Arn", "")),
        )

    def input(self, event: Mapping[str, object], rule_arn: str) -> str:
        """The JSON that this target is called with."""
        if self.constant is not None:
            return self.constant
        if self.path is not None:
            return json.dumps(_at(event, self.path))
        if self.template is None:
            return json.dumps(event)
        return _fill(self.template, self._variables(event, rule_arn))

    def _variables(self, event: Mapping[str, object], rule_arn: str) -> dict[str, object]:
        return {
            "aws.events.rule-arn": rule_arn,
            "aws.events.rule-name": rule_arn.rpartition("/")[2],
            "aws.events.event.ingestion-time": event.get("time"),
            "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
            "aws.events.event.json": event,
        } | {name: _at(event, path) for name, path in self.template_paths.items()}


def _fill(template: str, variables: Mapping[str, object]) -> str:
    """Put the variables in: inside a quoted string as text, elsewhere as JSON; one that is missing is left empty."""

    def replace(found: re.Match[str]) -> str:
        piece = found.group()
        if piece.startswith('"'):
            return _VARIABLE.sub(lambda variable: _as_text(variables.get(variable.group(1))), piece)
        value = variables.get(piece[1:-1])
        return "" if value is None else json.dumps(value)

    return _QUOTED_OR_VARIABLE.sub(replace, template)


def _as_text(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text)[1:-1]


def _at(event: Mapping[str, object], path: str) -> object:
    """The value at a JSON path such as `$.detail.state` or `$.resources[0]`; None where there is nothing."""
    found: object = event
    for step in re.findall(r"[^.\[\]]+", path.removeprefix("$")):
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
