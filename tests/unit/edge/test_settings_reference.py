"""The reference of the settings is the code's own, complete, and the one that is published."""

from __future__ import annotations

import re
from pathlib import Path

from swarmkeeper.edge.settings_reference import EXAMPLE, reference_text, sections
from swarmkeeper.edge.yaml_lines import read_yaml

PUBLISHED = Path(__file__).parents[3] / "docs" / "configuration.md"


def told() -> set[str]:
    """Every setting that has a row, by its path."""
    parts = re.split(r"^## (.+)$", reference_text(), flags=re.MULTILINE)[1:]
    return {
        ".".join(filter(None, ["" if heading == "The file" else heading.strip("`"), name]))
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
        for name in re.findall(r"^\| `(.+?)` \|", text, flags=re.MULTILINE)
    }


def row(section: str, name: str) -> list[str]:
    text = reference_text().partition(f"## `{section}`\n")[2].partition("\n## ")[0]
    (line,) = (each for each in text.splitlines() if each.startswith(f"| `{name}` |"))
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_the_published_page_is_the_one_that_the_code_makes() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == reference_text(), "run `make reference`"


def test_every_setting_of_every_part_has_a_row() -> None:
    wanted = {f"{each.path}.{name}".lstrip(".") for each in sections() for name in each.model.model_fields}
    assert told() == wanted


def test_every_setting_of_the_example_is_in_it() -> None:
    paths = read_yaml(EXAMPLE.read_text(encoding="utf-8")).lines
    top = {str(path[0]) for path in paths}
    of_scaling = {f"scaling.{path[1]}" for path in paths if len(path) == 2 and path[0] == "scaling"}
    of_pools = {f"pools.<name>.{path[2]}" for path in paths if len(path) == 3 and path[0] == "pools"}
    assert top | of_scaling | of_pools <= told()


def test_a_duration_has_its_default_and_bounds_in_the_files_own_words() -> None:
    assert row("pools.<name>", "drain_limit")[1:4] == ["duration", "`30m`", "at least 1m, below 48h"]


def test_a_size_is_told_in_binary_units() -> None:
    assert row("placement", "default_memory")[1:4] == ["size", "`256MiB`", "at least 6MiB"]


def test_a_meaning_comes_from_the_model_or_else_from_the_examples_comment() -> None:
    assert row("placement", "prefer_local_images")[4].startswith("Whether a node that holds the image")
    assert row("network", "overlay_pool")[4] == "the Swarm cuts its own networks from it"
