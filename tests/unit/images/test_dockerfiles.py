"""What every image of users' containers keeps to, read from its Dockerfile."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from swarmkeeper.cli.images.catalogue import definitions
from swarmkeeper.cli.images.trial import NEEDED_LABELS, SMOKE_LABEL

ROOT = Path(__file__).parents[3]
IMAGES = ROOT / "images"
NAMES = sorted(definitions(IMAGES))
SHARE = "/usr/local/share/swarmkeeper"

Instruction = tuple[str, str]


def instructions(name: str) -> list[Instruction]:
    """The Dockerfile's instructions in their order, without comments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (IMAGES / name / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


def values(name: str, keyword: str) -> list[str]:
    return [value for word, value in instructions(name) if word == keyword]


def labels(name: str) -> dict[str, str]:
    [text] = values(name, "LABEL")
    return dict(pair.split("=", 1) for pair in shlex.split(text))


def copied(name: str) -> list[Path]:
    return [IMAGES / source for text in values(name, "COPY") for source in text.split()[:-1]]


def test_there_is_an_image_for_every_language_and_a_plain_one() -> None:
    assert NAMES == ["node", "php", "plain", "python", "ruby", "swift"]


def test_only_swift_needs_what_must_be_pulled() -> None:
    assert [name for name, each in definitions(IMAGES).items() if not each.has_stand_in] == ["swift"]


@pytest.mark.parametrize("name", NAMES)
class TestDockerfile:
    def test_the_base_is_an_argument_whose_default_is_an_official_image_of_a_stated_release(self, name: str) -> None:
        first, second = instructions(name)[:2]
        assert first[0] == "ARG"
        assert re.fullmatch(r"BASE=docker\.io/library/[a-z]+:[a-z0-9.-]*bookworm[a-z-]*", first[1])
        assert second == ("FROM", "${BASE}")

    def test_it_ends_as_a_numbered_user_that_is_not_root(self, name: str) -> None:
        assert values(name, "USER") == ["10001:10001"]
        words = [word for word, _ in instructions(name)]
        assert "RUN" not in words[words.index("USER") :]

    def test_it_has_a_health_check_that_is_in_the_image(self, name: str) -> None:
        [check] = values(name, "HEALTHCHECK")
        command = json.loads(check.partition("CMD ")[2])
        assert command == ["healthy"]
        assert IMAGES / "shared" / "healthy" in copied(name)

    def test_it_is_labelled_with_what_it_is_and_what_it_was_built_from(self, name: str) -> None:
        found = labels(name)
        assert set(found) >= {*NEEDED_LABELS, SMOKE_LABEL}
        assert found["org.opencontainers.image.base.name"] == "${BASE}"
        assert found["org.opencontainers.image.revision"] == "${REVISION}"

    def test_its_smoke_test_and_its_default_command_are_copied_into_it(self, name: str) -> None:
        commands = f"{labels(name)[SMOKE_LABEL]} {values(name, 'CMD')[0]}"
        wanted = set(re.findall(rf"{SHARE}/([a-z.]+)", commands))
        assert len(wanted) == 2
        assert wanted <= {path.name for path in copied(name)}

    def test_all_that_is_copied_is_there_and_nothing_is_fetched(self, name: str) -> None:
        assert all(path.is_file() for path in copied(name))
        assert not values(name, "ADD")
        assert not re.search(r"curl|wget|apt-get|https?://", " ".join(values(name, "RUN")))

    def test_nothing_in_it_needs_a_builder_that_not_every_engine_has(self, name: str) -> None:
        text = (IMAGES / name / "Dockerfile").read_text()
        assert not re.search(r"--chmod|--mount|<<|^# syntax", text, re.MULTILINE)
