"""The whole path on fifty simulated engines of which every twentieth call fails: nothing doubled, nothing lost."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from swarmkeeper.cli.bench import app


def test_the_whole_path_heals_whatever_engines_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.setenv(name, "")  # the command sets them, and this puts them back
        monkeypatch.delenv(name.lower(), raising=False)
    asked = ["--engines", "50", "--requests", "200", "--workers", "8", "--failure-rate", "0.2", "--latency-ms", "1"]
    result = CliRunner().invoke(app, ["fleet", *asked, "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["accepted"], figures["running"]) == (200, 200)
    assert figures["failures"] > 20
    assert [figures[key] for key in ("overcommitted", "duplicates", "strays", "copies_left_behind")] == [0] * 4
