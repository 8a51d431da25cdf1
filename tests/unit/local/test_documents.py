"""What SSM documents mean: parameters, substitution and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from local.aws.documents import DocumentFault, ParameterFault, bind, read_document, script_of, timeout_of


def content(parameters: Mapping[str, Any] | None = None, *lines: str, **inputs: Any) -> dict[str, Any]:
    step = {
        "action": "aws:runShellScript",
        "name": "run",
        "inputs": {"runCommand": list(lines) or ["true"], **inputs},
    }
    return {"schemaVersion": "2.2", "parameters": dict(parameters or {}), "mainSteps": [step]}


def no_store(name: str) -> str:
    raise ParameterFault(f"no {name}")


def script(document_content: Mapping[str, Any], **given: Sequence[str]) -> str:
    document = read_document(document_content)
    return script_of(document.steps[0], document, bind(document, given, no_store))


STRING: dict[str, Any] = {"type": "String"}


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        pytest.param("echo {{ word }}", "echo hello", id="with spaces"),
        pytest.param("echo {{word}}-{{word}}", "echo hello-hello", id="without, twice"),
        pytest.param("docker info --format '{{.ID}}'", "docker info --format '{{.ID}}'", id="a Go template stays"),
    ],
)
def test_a_parameter_is_filled_into_the_script(reference: str, expected: str) -> None:
    assert script(content({"word": STRING}, reference), word=["hello"]) == expected


def test_a_list_alone_on_its_line_becomes_lines_and_inside_one_json() -> None:
    lines = {"commands": {"type": "StringList"}}
    assert script(content(lines, "set -e", "{{ commands }}"), commands=["a", "b"]) == "set -e\na\nb"
    assert script(content(lines, "echo '{{ commands }}'"), commands=["a", "b"]) == 'echo \'["a", "b"]\''


def test_a_default_is_used_when_nothing_is_given() -> None:
    parameters = {"times": {"type": "Integer", "default": 3}, "quiet": {"type": "Boolean", "default": True}}
    assert script(content(parameters, "go {{ times }} {{ quiet }}")) == "go 3 true"


def test_an_environment_parameter_is_exported_and_never_becomes_part_of_the_script() -> None:
    parameters = {"word": STRING | {"interpolationType": "ENV_VAR"}}
    made = script(content(parameters, 'echo "$SSM_word" {{ word }}'), word=["it's $(rm -rf /)"])
    assert made == "export SSM_word='it'\"'\"'s $(rm -rf /)'\necho \"$SSM_word\" {{ word }}"


def test_the_working_directory_is_entered_first() -> None:
    assert script(content(None, "pwd", workingDirectory="/srv/a b")) == "cd '/srv/a b'\npwd"


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        pytest.param(STRING, [], id="no value"),
        pytest.param(STRING, ["a", "b"], id="two values for a String"),
        pytest.param(STRING | {"allowedPattern": "[a-z]+"}, ["abc; reboot"], id="pattern must match all of it"),
        pytest.param(STRING | {"allowedPattern": "[a-z]{1,2000}"}, ["abc"], id="a count that the agent can not take"),
        pytest.param(STRING | {"allowedValues": ["a", "b"]}, ["c"], id="value not allowed"),
        pytest.param(STRING | {"minChars": 2}, ["a"], id="too short"),
        pytest.param(STRING | {"maxChars": 2}, ["abc"], id="too long"),
        pytest.param({"type": "StringList", "minItems": 2}, ["a"], id="too few items"),
        pytest.param({"type": "StringList", "maxItems": 1}, ["a", "b"], id="too many items"),
        pytest.param({"type": "Integer"}, ["1.5"], id="not an integer"),
        pytest.param({"type": "Boolean"}, ["yes"], id="not a boolean"),
        pytest.param(STRING, ["{{ssm:/absent}}"], id="stored parameter that does not exist"),
    ],
)
def test_a_value_that_does_not_suit_its_parameter_is_refused(spec: dict[str, Any], value: list[str]) -> None:
    with pytest.raises(ParameterFault):
        script(content({"x": spec}, "echo {{ x }}"), x=value)


def test_unknown_and_missing_parameters_are_refused() -> None:
    with pytest.raises(ParameterFault, match="not defined"):
        script(content({}, "true"), other=["x"])
    with pytest.raises(ParameterFault, match="required"):
        script(content({"x": STRING}, "echo {{ x }}"))


@pytest.mark.parametrize(
    "faulty",
    [
        pytest.param(content() | {"schemaVersion": "1.2"}, id="old schema"),
        pytest.param(content() | {"mainSteps": []}, id="no steps"),
        pytest.param(content() | {"mainSteps": content()["mainSteps"] * 2}, id="same step name twice"),
        pytest.param(content({"x": {"type": "StringMap"}}), id="type that is not emulated"),
        pytest.param(content({"x": {"type": "StringList", "interpolationType": "ENV_VAR"}}), id="list by environment"),
        pytest.param(content(None, "echo {{ nobody }}"), id="undefined parameter"),
        pytest.param(content() | {"mainSteps": [{"action": "aws:runPowerShellScript", "name": "x"}]}, id="action"),
    ],
)
def test_a_document_that_can_not_be_run_is_refused(faulty: dict[str, Any]) -> None:
    with pytest.raises(DocumentFault):
        read_document(faulty)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), (7200, 7200.0)])
def test_a_steps_time_out_is_read(text: object, seconds: float) -> None:
    document = read_document(content(None, "true", timeoutSeconds=text))
    assert timeout_of(document.steps[0], document, {}) == seconds


@pytest.mark.parametrize("text", ["0", "soon", "172801"])
def test_a_time_out_outside_its_range_is_refused(text: str) -> None:
    document = read_document(content(None, "true", timeoutSeconds=text))
    with pytest.raises(ParameterFault):
        timeout_of(document.steps[0], document, {})


def test_a_step_for_another_platform_is_marked() -> None:
    for platform, expected in (("Windows", False), ("Linux", True)):
        document = content()
        document["mainSteps"][0]["precondition"] = {"StringEquals": ["platformType", platform]}
        assert read_document(document).steps[0].for_linux is expected
