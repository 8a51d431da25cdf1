"""Jenkins' pipelines, as far as they can be checked without Jenkins: their form, their stages, and what they call."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

from swarmkeeper.cli.images.catalogue import definitions
from swarmkeeper.cli.main import app

ROOT = Path(__file__).parents[2]
JENKINS = ROOT / "pipeline" / "jenkins"
FILES = sorted(JENKINS.glob("Jenkinsfile.*"))
PARTS = {"agent", "options", "parameters", "environment", "stages", "post", "tools", "triggers", "when", "steps"}
CLOSES = {")": "(", "]": "[", "}": "{"}


def plain(text: str) -> str:
    """The file without comments, and with nothing in its strings."""
    strings = re.compile(r"'''.*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|//[^\n]*", re.DOTALL)
    return strings.sub(lambda found: "" if found[0].startswith("//") else "''", text)


def stages(text: str) -> list[str]:
    return re.findall(r"stage\('([^']+)'\)", text)


def shell_lines(text: str) -> list[str]:
    return re.findall(r"\bsh '([^'\n]+)'", text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_brackets_are_closed_in_their_order(path: Path) -> None:
    opened: list[str] = []
    for character in plain(path.read_text()):
        if character in CLOSES.values():
            opened.append(character)
        elif character in CLOSES:
            assert opened.pop() == CLOSES[character]
    assert opened == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_pipeline_is_declarative_and_has_what_a_long_job_needs(path: Path) -> None:
    text = plain(path.read_text())
    assert text.lstrip().startswith("pipeline {")
    top = re.findall(r"^  (\w+) ", text, re.MULTILINE)
    assert set(top) <= PARTS
    assert {"agent", "options", "parameters", "stages"} <= set(top)
    for needed in ("timeout(", "disableConcurrentBuilds()", "buildDiscarder("):
        assert needed in text


def test_images_are_built_tried_scanned_pushed_and_tagged_in_that_order() -> None:
    assert stages((JENKINS / "Jenkinsfile.images").read_text()) == [
        "Build matrix",
        "Set up",
        "Build",
        "Smoke test",
        "Scan",
        "Push",
        "Tag by date and digest",
    ]


def test_a_machine_image_is_checked_and_baked_before_anybody_agrees_to_replace_nodes() -> None:
    found = stages((JENKINS / "Jenkinsfile.ami").read_text())
    assert found == ["Set up", "Lint", "Bake", "Agree", "Roll out"]


def test_a_jobs_stages_fit_into_its_limit_and_the_playbooks_into_theirs() -> None:
    text = (JENKINS / "Jenkinsfile.ami").read_text()
    (whole,) = re.findall(r"timeout\(time: (\d+), unit: 'HOURS'\)", text)
    minutes = dict(re.findall(r"stage\('([^']+)'\) \{(?:(?!stage\().)*?time: (\d+), unit: 'MINUTES'", text, re.DOTALL))
    assert list(minutes) == stages(text)
    assert sum(map(int, minutes.values())) <= int(whole) * 60
    playbook = (ROOT / "pipeline/ansible/playbooks/node_image.yml").read_text()
    (limit,) = re.findall(r"^    limit: (\d+)$", playbook, re.MULTILINE)
    assert int(minutes["Roll out"]) * 60 > int(limit)


def test_a_job_that_is_stopped_leaves_no_builder() -> None:
    text = (JENKINS / "Jenkinsfile.ami").read_text()
    (last,) = re.findall(r"^  post \{(.*)^  \}", text, re.DOTALL | re.MULTILINE)
    (command,) = shell_lines(last)
    assert "always {" in last
    assert 'node-image discard "$POOL" --name "$IMAGE_NAME"' in command


def test_every_architecture_of_every_image_is_collected_that_is_built() -> None:
    text = (JENKINS / "Jenkinsfile.images").read_text()
    (built,) = re.findall(r"name 'IMAGE'\s+values ([^\n]+)", text)
    (collected,) = re.findall(r"for \(image in \[([^\]]+)\]", text)
    assert built == collected
    (architectures,) = re.findall(r"name 'ARCH'\s+values ([^\n]+)", text)
    assert re.findall(r"unstash \"pushed-\$\{image\}-(\w+)\"", text) == re.findall(r"\w+", architectures)


def test_the_matrix_has_every_image_that_there_is() -> None:
    (built,) = re.findall(r"name 'IMAGE'\s+values ([^\n]+)", (JENKINS / "Jenkinsfile.images").read_text())
    named = re.findall(r"\w+", built)
    assert sorted(named) == sorted(definitions(ROOT / "images"))


def test_no_pipe_hides_that_a_command_has_failed() -> None:
    """Jenkins' `sh` knows no pipefail: what a pipe's last command says is all that counts."""
    for path in FILES:
        for line in shell_lines(path.read_text()):
            first, *rest = re.split(r"(?<!\|)\|(?!\|)", line)
            assert not rest or first.startswith("printf "), line


def test_each_cell_has_a_log_in_of_its_own_that_is_removed() -> None:
    text = (JENKINS / "Jenkinsfile.images").read_text()
    logging_in = [part for part in re.split(r"(?=\bstage\()", text) if "docker login" in part]
    assert len(logging_in) == 2
    for part in logging_in:
        own = part.index('environment { DOCKER_CONFIG = "${env.WORKSPACE_TMP}/docker" }')
        removed = part.index("cleanup { sh 'rm -rf \"$DOCKER_CONFIG\"' }")
        assert own < part.index("docker login") < part.index("docker logout") < removed


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_a_pipeline_runs_is_there(path: Path) -> None:
    for line in shell_lines(path.read_text()):
        program = line.split()[0]
        if "/" in program and not program.startswith("$"):
            assert (ROOT / program).stat().st_mode & 0o111, line


def test_the_playbook_calls_commands_that_there_are() -> None:
    known = set(get_command(app).commands["node-image"].commands)  # type: ignore[attr-defined]  # a group's
    tasks = "".join(path.read_text() for path in (ROOT / "pipeline/ansible/playbooks/tasks").glob("*.yml"))
    called = set(re.findall(r"\(keeper \| split\)\s*\+ \['(\w+)'", tasks))
    assert called == known


def test_a_secret_goes_to_the_registry_by_a_pipe_and_is_forgotten() -> None:
    text = (JENKINS / "Jenkinsfile.images").read_text()
    for line in shell_lines(text):
        if "REGISTRY_PASSWORD" in line:
            assert "--password-stdin" in line
            assert line.startswith("printf ")
    assert text.count("docker login") == text.count("docker logout") == 2


@pytest.fixture(scope="module")
def join() -> ModuleType:
    spec = importlib.util.spec_from_file_location("join_architectures", JENKINS / "join_architectures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_architectures_of_an_image_become_one_that_is_named_by_digest(join: ModuleType) -> None:
    called: list[list[str]] = []

    def docker(arguments: list[str]) -> str:
        called.append(arguments)
        return f"sha256:{'c' * 64}\n" if "push" in arguments else "Created manifest list"

    pushed = [{"python": f"reg/base/python@sha256:{digit * 64}"} for digit in "ab"]
    assert join.joined(pushed, "reg/base/", "20261127-7", docker) == {"python": f"reg/base/python@sha256:{'c' * 64}"}
    tagged = "reg/base/python:20261127-7"
    assert called == [
        ["manifest", "create", "--amend", tagged, *(each["python"] for each in pushed)],
        ["manifest", "push", "--purge", tagged],
    ]


def test_a_push_that_tells_no_digest_is_a_failure(join: ModuleType) -> None:
    with pytest.raises(SystemExit, match="no digest"):
        join.joined([{"python": "reg/python@sha256:1"}], "reg", "1", lambda _: "")


def test_job_parameters_are_what_the_playbook_is_given() -> None:
    play = (JENKINS / "play.sh").read_text()
    declared = set(re.findall(r"name: '(\w+)'", (JENKINS / "Jenkinsfile.ami").read_text())) - {"ASK"}
    assert set(re.findall(r'given\["(\w+)"\]', play)) == declared | {"IMAGE_NAME"}
