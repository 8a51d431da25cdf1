"""A table is made anew from ten simulated engines, and the tick after it finds nothing amiss."""

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


def test_a_rebuild_and_a_tick_are_measured() -> None:
    asked = ["--engines", "10", "--containers", "3", "--latency-ms", "1"]
    result = CliRunner().invoke(app, ["reconcile", *asked, "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["rebuild"]["found"] == {"rebuilt": 41}
    assert figures["rebuild_again"]["found"] == {"already there": 41}
    assert figures["rebuild"]["calls"] == 1
    for part in ("tick", "rebuild", "rebuild_again"):
        assert all(figures[part][name] > 0 for name in ("wall_s", "cpu_s", "rss_mb"))
