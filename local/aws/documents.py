"""SSM command documents: reading them, checking parameters, and the script that a step runs. Pure.

Schema 2.2 and the action aws:runShellScript; https://docs.aws.amazon.com/systems-manager/latest/userguide/
documents-syntax-data-elements-parameters.html
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_DOCUMENT_BYTES = 64 * 1024
DEFAULT_TIMEOUT_S = 3600
MAX_TIMEOUT_S = 172_800
TYPES = frozenset({"String", "StringList", "Integer", "Boolean"})

Values = Mapping[str, tuple[str, ...]]
"""A document's parameters with their values; a String has one."""


class DocumentFault(Exception):
    """A document that AWS refuses, or that isn't emulated."""


class ParameterFault(Exception):
    """Parameters that don't suit the document."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as the document declares it."""

    name: str
    type: str
    default: tuple[str, ...] | None
    checks: Mapping[str, Any]
    """allowedPattern, allowedValues, minChars, maxChars, minItems and maxItems, where given."""
    by_environment: bool
    """Handed over as the environment variable SSM_(name), and not written into the script."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the document, as written."""

    name: str
    lines: tuple[str, ...]
    timeout: str
    working_directory: str
    stops_on_failure: bool
    for_linux: bool


@dataclass(frozen=True, slots=True)
class CommandDocument:
    """A document that can be run."""

    parameters: Mapping[str, Parameter]
    steps: tuple[Step, ...]


def read_document(content: Mapping[str, Any]) -> CommandDocument:
    """A document from its content. Raises DocumentFault."""
    if str(content.get("schemaVersion")) != "2.2":
        raise DocumentFault(f"schema version {content.get('schemaVersion')} is not emulated: use 2.2")
    parameters = {name: _parameter(name, spec) for name, spec in (content.get("parameters") or {}).items()}
    steps = tuple(_step(step) for step in content.get("mainSteps") or ())
    if not steps:
        raise DocumentFault("the document has no mainSteps")
    if len({step.name for step in steps}) < len(steps):
        raise DocumentFault("two steps have the same name")
    for step in steps:
        unknown = _references(step) - parameters.keys()
        if unknown:
            raise DocumentFault(f"step {step.name} refers to undefined parameters: {', '.join(sorted(unknown))}")
    return CommandDocument(parameters, steps)


def bind(
    document: CommandDocument, given: Mapping[str, Sequence[str]], lookup: Callable[[str], str]
) -> dict[str, tuple[str, ...]]:
    """The value of every parameter: given, or else its default. Raises ParameterFault.

    `lookup` gives the value of a Parameter Store parameter that a value names as {{ssm:name}}.
    """
    unknown = given.keys() - document.parameters.keys()
    if unknown:
        raise ParameterFault(f"Parameters not defined in the document: {', '.join(sorted(unknown))}")
    return {name: _value(parameter, given.get(name), lookup) for name, parameter in document.parameters.items()}


def script_of(step: Step, document: CommandDocument, values: Values) -> str:
    """The shell script of a step with its parameters filled in."""
    environment = [
        f"export SSM_{name}={shlex.quote(_text(values[name]))}"
        for name, parameter in document.parameters.items()
        if parameter.by_environment
    ]
    go_there = (
        [f"cd {shlex.quote(_filled(step.working_directory, document, values))}"] if step.working_directory else []
    )
    lines = [line for template in step.lines for line in _lines(template, document, values)]
    return "\n".join([*environment, *go_there, *lines])


def timeout_of(step: Step, document: CommandDocument, values: Values) -> float:
    """How long a step may run, in seconds. Raises ParameterFault."""
    text = _filled(step.timeout, document, values)
    if not text.isdigit() or not 1 <= int(text) <= MAX_TIMEOUT_S:
        raise ParameterFault(f"timeoutSeconds must be a number from 1 to {MAX_TIMEOUT_S}, not {text!r}")
    return float(text)


def _parameter(name: str, spec: Mapping[str, Any]) -> Parameter:
    kind = spec.get("type")
    if kind not in TYPES:
        raise DocumentFault(f"parameter {name}: type {kind} is not emulated: use one of {', '.join(sorted(TYPES))}")
    interpolation = spec.get("interpolationType", "RAW")
    if interpolation not in ("RAW", "ENV_VAR") or (interpolation == "ENV_VAR" and kind != "String"):
        raise DocumentFault(f"parameter {name}: interpolationType {interpolation} of a {kind} is not valid")
    default = None if spec.get("default") is None else _texts(spec["default"])
    names = ("allowedPattern", "allowedValues", "minChars", "maxChars", "minItems", "maxItems")
    checks = {check: spec[check] for check in names if check in spec}
    return Parameter(name, kind, default, checks, by_environment=interpolation == "ENV_VAR")


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        return tuple(str(item) for item in value)
    return (str(value).lower() if isinstance(value, bool) else str(value),)


def _step(step: Mapping[str, Any]) -> Step:
    name, action = str(step.get("name", "")), step.get("action")
    if action != "aws:runShellScript":
        raise DocumentFault(f"step {name}: action {action} is not emulated: use aws:runShellScript")
    inputs = step.get("inputs") or {}
    command = inputs.get("runCommand")
    if not command:
        raise DocumentFault(f"step {name} has no runCommand")
    return Step(
        name=name,
        lines=_texts(command),
        timeout=str(inputs.get("timeoutSeconds", DEFAULT_TIMEOUT_S)),
        working_directory=str(inputs.get("workingDirectory", "")),
        stops_on_failure=inputs.get("onFailure", "") == "exit" or step.get("onFailure") == "exit",
        for_linux=_for_linux(name, step.get("precondition")),
    )


def _for_linux(name: str, precondition: Mapping[str, Any] | None) -> bool:
    if not precondition:
        return True
    operands = precondition.get("StringEquals")
    if not operands or len(precondition) > 1 or "platformType" not in operands:
        raise DocumentFault(f"step {name}: only a precondition on platformType is emulated")
    return "Linux" in operands


_REFERENCE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_STORED = re.compile(r"\{\{\s*ssm:([A-Za-z0-9_.\-/:]+)\s*\}\}")


def _references(step: Step) -> set[str]:
    texts = (*step.lines, step.timeout, step.working_directory)
    return {name for text in texts for name in _REFERENCE.findall(text)}


def _value(parameter: Parameter, given: Sequence[str] | None, lookup: Callable[[str], str]) -> tuple[str, ...]:
    chosen = parameter.default if given is None else tuple(given)
    if chosen is None:
        raise ParameterFault(f"No value was given for the required parameter {parameter.name}")
    values = tuple(_STORED.sub(lambda found: lookup(found[1]), text) for text in chosen)
    if parameter.type != "StringList" and len(values) != 1:
        raise ParameterFault(f"{parameter.name} is a {parameter.type}: it takes one value, not {len(values)}")
    fault = _fault(parameter, values)
    if fault:
        raise ParameterFault(f"{parameter.name} {fault}")
    return values


GO_REPEAT_MAX = 1000


def _is_beyond_the_agent(pattern: str) -> bool:
    """Whether the agent, whose patterns are Go's, could not compile this one: it has a larger repeat count."""
    counts = re.findall(r"\{(\d+)(?:,(\d*))?\}", pattern)
    return any(int(count) > GO_REPEAT_MAX for pair in counts for count in pair if count)


def _fault(parameter: Parameter, values: tuple[str, ...]) -> str | None:
    checks = parameter.checks
    if _is_beyond_the_agent(checks.get("allowedPattern", "")):
        return f"has a pattern that the agent can't compile: {checks['allowedPattern']}"
    if not checks.get("minItems", 0) <= len(values) <= checks.get("maxItems", len(values)):
        return f"has {len(values)} items: from minItems to maxItems are allowed"
    for value in values:
        if parameter.type == "Integer" and not re.fullmatch(r"-?\d+", value):
            return f"must be an integer, not {value!r}"
        if parameter.type == "Boolean" and value.lower() not in ("true", "false"):
            return f"must be true or false, not {value!r}"
        if not checks.get("minChars", 0) <= len(value) <= checks.get("maxChars", len(value)):
            return f"has {len(value)} characters: from minChars to maxChars are allowed"
        if "allowedPattern" in checks and not re.fullmatch(checks["allowedPattern"], value):
            return f"must match {checks['allowedPattern']}"
        if "allowedValues" in checks and value not in map(str, checks["allowedValues"]):
            return f"must be one of {checks['allowedValues']}"
    return None


def _lines(template: str, document: CommandDocument, values: Values) -> tuple[str, ...]:
    """A line, or the several that a StringList alone on it stands for."""
    alone = _REFERENCE.fullmatch(template.strip())
    if alone and document.parameters[alone[1]].type == "StringList":
        return values[alone[1]]
    return (_filled(template, document, values),)


def _filled(template: str, document: CommandDocument, values: Values) -> str:
    def replacement(found: re.Match[str]) -> str:
        parameter = document.parameters[found[1]]
        if parameter.by_environment:
            return found[0]  # the script reads the variable; the value must not become part of the script
        return json.dumps(list(values[found[1]])) if parameter.type == "StringList" else _text(values[found[1]])

    return _REFERENCE.sub(replacement, template)


def _text(values: tuple[str, ...]) -> str:
    return values[0]
