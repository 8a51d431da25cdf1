"""The whole path on fifty simulated engines of which every twentieth call fails: nothing doubled, nothing lost."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from swarmkeeper.cli.bench import app


@pytest.fixture(autouse=True)
def proxies_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets them."""
    for name in ("HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name.lower(), raising=False)


def test_the_whole_path_heals_whatever_engines_do() -> None:
    asked = ["--engines", "50", "--requests", "200", "--workers", "8", "--failure-rate", "0.2", "--latency-ms", "1"]
    result = CliRunner().invoke(app, ["fleet", *asked, "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["accepted"], figures["running"]) == (200, 200)
    assert figures["failures"] > 20
    assert [figures[key] for key in ("overcommitted", "duplicates", "strays", "copies_left_behind")] == [0] * 4


def test_what_has_to_wait_is_told_by_the_figures_alone() -> None:
    asked = ["--engines", "1", "--requests", "60", "--failure-rate", "0", "--latency-ms", "0"]
    result = CliRunner().invoke(app, ["fleet", *asked, "--json"])
    figures = json.loads(result.stdout)
    assert (figures["accepted"], figures["running"]) == (60, figures["answers"]["201"])
    assert figures["answers"]["202"] == 60 - figures["running"] > 0
    assert result.exit_code == 1
