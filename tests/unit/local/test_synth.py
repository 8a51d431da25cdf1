from __future__ import annotations

from pathlib import Path

import pytest

from local.synth import SynthError, fingerprint, synthesise

APP = """
import os, pathlib
folder = pathlib.Path(os.environ["CDK_OUTDIR"])
(folder / "manifest.json").write_text(pathlib.Path(os.environ["SWARMKEEPER_SETTINGS"]).read_text())
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "__init__.py").touch()
    (tmp_path / "infra" / "app.py").write_text(APP)
    (tmp_path / "settings.yaml").write_text("fleet: a\n")
    return tmp_path


def test_the_same_sources_are_synthesised_once(root: Path) -> None:
    first, made = synthesise(root, root / "settings.yaml")
    again, made_again = synthesise(root, root / "settings.yaml")
    assert (made, made_again) == (True, False)
    assert first == again
    assert (first / "manifest.json").read_text() == "fleet: a\n"


@pytest.mark.parametrize("changed", ["settings.yaml", "infra/app.py"])
def test_a_changed_source_is_noticed(root: Path, changed: str) -> None:
    before = fingerprint(root, root / "settings.yaml")
    path = root / changed
    path.write_text(path.read_text() + "# changed\n")
    assert fingerprint(root, root / "settings.yaml") != before


def test_a_failing_app_is_told_in_its_own_words_and_leaves_nothing(root: Path) -> None:
    (root / "infra" / "app.py").write_text("raise SystemExit('pools: what is that?')")
    with pytest.raises(SynthError, match="what is that"):
        synthesise(root, root / "settings.yaml")
    (root / "infra" / "app.py").write_text(APP)
    assert synthesise(root, root / "settings.yaml")[1]
