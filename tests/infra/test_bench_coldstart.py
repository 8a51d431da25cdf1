"""The benchmark of a function's start, for one function."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from swarmkeeper.cli.main import app


def test_a_start_is_measured_beside_the_usual_way() -> None:
    done = CliRunner().invoke(app, ["bench", "coldstart", "--function", "registrar", "--rounds", "1", "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    ((name, measured),) = figures["functions"].items()
    assert name == "registrar"
    for kind in ("ours", "naive", "naive_compiled"):
        assert 0 < measured[kind]["import_cpu_ms"] < measured[kind]["cpu_ms"]
    assert 0 <= measured["restored"]["import_cpu_ms"] < measured["restored"]["cpu_ms"] < measured["ours"]["cpu_ms"]
    assert measured["ratio"] == round(measured["ours"]["cpu_ms"] / measured["naive"]["cpu_ms"], 3)
    assert figures["layer_bytes"] > 10**6


def test_an_unknown_function_is_refused_by_its_name() -> None:
    done = CliRunner().invoke(app, ["bench", "coldstart", "--function", "router"])
    assert done.exit_code == 2
    assert "router" in done.output
