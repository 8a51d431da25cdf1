"""`swarmkeeper images`, against a docker client that keeps what it was told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from swarmkeeper.cli.images import building, collecting, command, trial
from swarmkeeper.cli.images.catalogue import definition
from swarmkeeper.cli.images.docker import DockerError, docker
from swarmkeeper.cli.main import app

IMAGES = Path(__file__).parents[3] / "images"
DIGEST = f"sha256:{'a' * 64}"
LABELS = dict.fromkeys(trial.NEEDED_LABELS, "said") | {trial.SMOKE_LABEL: "python3 /smoke.py"}


def a_config(**changes: object) -> dict[str, Any]:
    return {"Labels": LABELS, "Healthcheck": {"Test": ["CMD", "healthy"]}, "User": "10001:10001", **changes}


@dataclass
class FakeDocker:
    """An engine with images, and with containers that become healthy at the third look."""

    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    smoke: str = "ok python 3.11.2"
    health: list[str] = field(default_factory=lambda: ["starting", "starting", "healthy"])
    runs: bool = True
    user: str = "10001"
    exit_code: str = "0"
    containers: set[str] = field(default_factory=set)
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, *arguments: str, cwd: Path | None = None) -> str:
        self.calls.append(arguments)
        verb = "_".join(arguments[:2]) if arguments[0] == "image" else arguments[0]
        return str(getattr(self, f"_{verb}")(*arguments))

    def _build(self, *arguments: str) -> str:
        self.images[arguments[arguments.index("--tag") + 1]] = a_config()
        return DIGEST

    def _image_inspect(self, *arguments: str) -> str:
        if arguments[-1] not in self.images:
            raise DockerError("docker image: no such image")
        if "--format" in arguments:
            return DIGEST
        return json.dumps([{"Config": self.images[arguments[-1]], "Size": 116_000_000}])

    def _pull(self, *arguments: str) -> str:
        self.images[arguments[-1]] = a_config()
        return ""

    def _load(self, *arguments: str) -> str:
        return ""

    def _tag(self, *arguments: str) -> str:
        if arguments[1] not in self.images:
            raise DockerError(f"docker tag: no such image: {arguments[1]}")
        self.images[arguments[2]] = self.images[arguments[1]]
        return ""

    def _push(self, *arguments: str) -> str:
        return f"latest: digest: {DIGEST} size: 1234" if arguments[1] in self.images else "nothing"

    def _run(self, *arguments: str) -> str:
        if "--detach" not in arguments:
            return self.smoke
        self.containers.add("c1")
        return "c1"

    def _inspect(self, *arguments: str) -> str:
        if "--format" in arguments:
            return self.exit_code
        status = self.health.pop(0) if len(self.health) > 1 else self.health[0]
        health = {"Status": status, "Log": [{"Output": "connection refused\n"}]}
        return json.dumps([{"State": {"Running": self.runs, "ExitCode": 3, "Health": health}}])

    def _exec(self, *arguments: str) -> str:
        return self.user

    def _logs(self, *arguments: str) -> str:
        return "SyntaxError"

    def _stop(self, *arguments: str) -> str:
        return ""

    def _rm(self, *arguments: str) -> str:
        self.containers.discard(arguments[-1])
        return ""


def waiting() -> trial.Waiting:
    ticks = iter(range(1000))
    return trial.Waiting(limit_s=5, pause=lambda seconds: None, now=lambda: float(next(ticks)))


def invoke(monkeypatch: pytest.MonkeyPatch, fake: FakeDocker, *arguments: str) -> Result:
    monkeypatch.setattr(command, "docker", fake)
    return CliRunner().invoke(app, ["images", *arguments])


def test_the_list_says_what_each_image_is_built_from_and_whether_it_can_be_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = {each["name"]: each for each in json.loads(invoke(monkeypatch, FakeDocker(), "list", "--json").stdout)}
    assert listed["python"]["base"] == "docker.io/library/python:3.13-slim-bookworm"
    assert (listed["python"]["stand_in"], listed["swift"]["stand_in"]) == (True, False)
    assert "no: not runnable without pulls" in invoke(monkeypatch, FakeDocker(), "list").stdout


def test_an_image_is_built_from_the_base_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeDocker()
    base = f"docker.io/library/python@{DIGEST}"
    done = invoke(monkeypatch, fake, "build", "python", "--base", base, "--tag", "mine:1", "--json")
    built = json.loads(done.stdout)
    assert (built["reference"], built["base"], built["bytes"]) == ("mine:1", base, 116_000_000)
    assert f"BASE={base}" in fake.calls[0]


def test_an_image_is_built_from_the_official_base_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeDocker()
    assert "swarmkeeper/ruby:latest: 116 MB" in invoke(monkeypatch, fake, "build", "ruby").stdout
    assert "BASE=docker.io/library/ruby:3.4-slim-bookworm" in fake.calls[0]


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (("build", "cobol"), 1, "no image cobol: there are node, php, plain, python, ruby, swift"),
        (("build", "swift", "--stand-in"), 1, "swift has no stand-in"),
        (("build", "ruby", "--stand-in", "--base", "x"), 2, "goes without --base"),
        (("push", "ruby", "--to", "registry.example:5000/base"), 1, "swarmkeeper/ruby:latest"),
    ],
)
def test_what_can_not_be_done_is_refused_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int, reason: str
) -> None:
    done = invoke(monkeypatch, FakeDocker(), *arguments)
    assert (done.exit_code, reason in done.output) == (status, True), done.output


def test_what_was_pushed_is_named_by_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeDocker(images={"swarmkeeper/ruby:latest": a_config(), "swarmkeeper/php:latest": a_config()})
    done = invoke(monkeypatch, fake, "push", "ruby", "php", "--to", "registry.example:5000/base/", "--tag", "7")
    assert done.stdout.split() == [f"registry.example:5000/base/{name}@{DIGEST}" for name in ("ruby", "php")]
    assert ("push", "registry.example:5000/base/ruby:7") in fake.calls


def test_a_test_of_a_foreign_reference_pulls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeDocker()
    reference = f"registry.example:5000/base/ruby@{DIGEST}"
    assert json.loads(invoke(monkeypatch, fake, "test", reference, "--json").stdout)["said"] == "ok python 3.11.2"
    assert ("pull", "--quiet", reference) in fake.calls


@pytest.mark.parametrize(
    ("reference", "repository"),
    [("a", "a"), ("a:1", "a"), ("r:5000/a", "r:5000/a"), ("r:5000/b/a:1", "r:5000/b/a")],
)
def test_a_repository_is_a_reference_without_its_tag(reference: str, repository: str) -> None:
    assert building.repository_of(reference) == repository


def test_an_image_that_does_all_it_should_passes_and_leaves_no_container() -> None:
    fake = FakeDocker(images={"mine:1": a_config()})
    assert trial.try_image(fake, "mine:1", waiting()) == "ok python 3.11.2"
    [smoke] = [call for call in fake.calls if call[:2] == ("run", "--rm")]
    assert smoke[-3:] == ("mine:1", "python3", "/smoke.py")
    assert ("rm", "--force", "--volumes", "c1") in fake.calls
    assert not fake.containers


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"User": ""}, "runs as root"),
        ({"User": "0:0"}, "runs as root"),
        ({"Healthcheck": None}, "no health check"),
        ({"Labels": None}, "no label org.opencontainers.image.title"),
        ({"Labels": {**LABELS, trial.SMOKE_LABEL: ""}}, "no label swarmkeeper.smoke"),
    ],
)
def test_an_image_that_is_not_made_as_it_should_be_fails(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(trial.Failed, match=reason):
        trial.try_image(FakeDocker(images={"mine:1": a_config(**changes)}), "mine:1", waiting())


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (FakeDocker(smoke="Killed"), "said 'Killed' instead of ok"),
        (FakeDocker(user="0"), "its process runs as root"),
        (FakeDocker(exit_code="137"), "did not end within 10 s"),
        (FakeDocker(health=["unhealthy"]), "not healthy after 5 s: connection refused"),
        (FakeDocker(health=["starting"], runs=False), "ended by itself, with exit code 3: SyntaxError"),
    ],
)
def test_an_image_that_does_not_do_what_it_should_fails_and_leaves_no_container(
    engine: FakeDocker, reason: str
) -> None:
    engine.images["mine:1"] = a_config()
    with pytest.raises(trial.Failed, match=reason):
        trial.try_image(engine, "mine:1", waiting())
    assert not engine.containers


def test_an_image_that_the_engine_has_is_not_loaded_again() -> None:
    fake = FakeDocker(images={"base:1": {}})
    building.load(fake, Path("bases.tar"), "base:1")
    building.load(fake, Path("bases.tar"), "base:2")
    assert [call for call in fake.calls if call[0] == "load"] == [("load", "--quiet", "--input", "bases.tar")]


def test_dockers_own_words_are_told_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\necho 'denied: not yours' >&2\nexit 1\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DockerError, match="docker push: denied: not yours"):
        docker("push", "x")
    client.unlink()
    with pytest.raises(DockerError, match="there is no docker here"):
        docker("push", "x")


def test_garbage_is_collected_by_the_projects_own_script(tmp_path: Path) -> None:
    (tmp_path / "gc.sh").write_text('echo "collected $*"\n')
    done = CliRunner().invoke(app, ["images", "gc", "--project", str(tmp_path), "--untagged"])
    assert (done.exit_code, done.stdout) == (0, "collected --untagged\n")
    (tmp_path / "gc.sh").write_text("echo 'no such container' >&2; exit 1\n")
    with pytest.raises(DockerError, match="the collection failed: no such container"):
        collecting.collect(tmp_path, untagged=False)


def test_a_definition_is_read_from_its_dockerfile() -> None:
    found = definition(IMAGES, "node")
    assert (found.title, found.reference) == ("Node.js", "swarmkeeper/node:latest")
