"""docs/getting-started.md: its settings are valid, and what it says of the demo's fleet is so."""

from __future__ import annotations

import re
from pathlib import Path

from swarmkeeper.edge.settings import load_settings
from tests.unit.docs.shell import ROOT, to_run

PAGE = "docs/getting-started.md"


def test_the_first_fleets_settings_are_valid(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", (ROOT / PAGE).read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "swarmkeeper.yaml"
    file.write_text(shown)
    settings = load_settings(file)
    assert {name: (pool.min, pool.max) for name, pool in settings.pools.items()} == {
        "managers": (3, 3),
        "workers": (1, 5),
    }


def test_one_container_more_than_a_node_holds_is_asked_for_and_all_are_removed() -> None:
    demo = load_settings(ROOT / "swarmkeeper.demo.yaml")
    asked = [each.arguments[1] for each in to_run(PAGE) if each.arguments[0] == "run"]
    removed = [name for each in to_run(PAGE) if each.arguments[0] == "rm" for name in each.arguments[1:]]
    assert demo.fleet == "demo"
    assert len(asked) == int(demo.pools["workers"].labels["containerslots"]) + 1
    assert removed == asked
