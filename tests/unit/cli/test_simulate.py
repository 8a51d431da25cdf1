"""swarmkeeper simulate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swarmkeeper.cli.main import app
from tests.simulation.builders import EXCERPT, HEADING

FIGURES = {
    "policy",
    "profile",
    "node_hours",
    "bound_node_hours",
    "ratio",
    "wait_p50_s",
    "wait_p95_s",
    "wait_p99_s",
    "waited_share",
    "bought",
    "removed",
    "cpu_s",
}


def test_json_is_one_object_with_the_parameters_and_a_row_a_policy() -> None:
    arguments = ["--policy", "ours", "--policy", "tracking-100", "--max-lifetime", "6h", "--batches", "instant"]
    experiment = ["--node", "32,128", "--boot", "60", "--warmup", "24h", "--seed", "7", "--json"]
    ran = CliRunner().invoke(app, ["simulate", "--trace", str(EXCERPT), *arguments, *experiment])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert [(each["policy"], each["profile"]) for each in told["policies"]] == [
        ("ours", "short"),
        ("tracking-100", "short"),
    ]
    assert all(each.keys() >= FIGURES for each in told["policies"])
    assert all(each["node_hours"] >= each["bound_node_hours"] > 0 for each in told["policies"])
    parameters = told["parameters"]
    assert (parameters["node_vcpu"], parameters["node_gb"], parameters["boot_s"]) == (32, 128, 60)
    assert parameters["step"]["high"] == 0.8
    assert parameters["tracking"] == {"out_samples": 1, "in_samples": 15}
    assert (parameters["warmup_s"], parameters["seed"], parameters["batches"]) == (86_400, 7, "instant")


def test_both_profiles_can_be_run_and_shown_as_a_table() -> None:
    profiles = ["--profile", "full", "--profile", "short", "--policy", "fixed"]
    ran = CliRunner().invoke(app, ["simulate", "--trace", str(EXCERPT), *profiles])
    assert ran.exit_code == 0, ran.output
    assert [line.split()[:2] for line in ran.stdout.splitlines()[1:]] == [["full", "fixed"], ["short", "fixed"]]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--node", "32"], "is not VCPU,GB"),
        (["--node", "0,256"], "is not VCPU,GB"),
        (["--boot", "soon"], "is not a duration"),
        (["--decision", "0"], "must be above 0"),
        (["--profile", "full", "--max-lifetime", "6h"], "--max-lifetime is of the profile short"),
    ],
)
def test_wrong_usage_is_refused(arguments: list[str], problem: str) -> None:
    ran = CliRunner().invoke(app, ["simulate", "--trace", str(EXCERPT), *arguments])
    assert ran.exit_code == 2
    assert problem in " ".join(ran.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--policy", "magic"], "swarmkeeper: policy: 'magic' is none of ours, "),
        (["--policy", "tracking-0"], "swarmkeeper: policy: 'tracking-0' is none of ours, "),
        (["--node", "0.5,0.5"], "swarmkeeper: node: 0.5 CPUs and 512 MiB hold none of the trace's containers"),
        (["--warmup", "9d"], "swarmkeeper: warmup: no arrival of profile 'full' comes after 777600 s"),
    ],
)
def test_what_the_trace_does_not_allow_is_refused(arguments: list[str], problem: str) -> None:
    ran = CliRunner().invoke(app, ["simulate", "--trace", str(EXCERPT), *arguments])
    assert ran.exit_code == 1
    assert problem in ran.output


def test_a_bad_row_is_told_with_file_line_and_field(tmp_path: Path) -> None:
    trace = tmp_path / "mine.csv"
    trace.write_text(HEADING + "0,a,1,one,0,0,0\n")
    ran = CliRunner().invoke(app, ["simulate", "--trace", str(trace)])
    assert ran.exit_code == 1
    assert ran.output.strip() == "swarmkeeper: mine.csv:2: mem_gb: 'one' is not a number"


def test_what_no_node_could_ever_hold_is_left_out_and_told() -> None:
    arguments = ["--policy", "fixed", "--node", "4,16", "--json"]
    ran = CliRunner().invoke(app, ["simulate", "--trace", str(EXCERPT), *arguments])
    assert ran.exit_code == 0, ran.output
    figures = json.loads(ran.stdout)["policies"][0]
    assert figures["refused"] > 100
    assert figures["waited_share"] == 0


def test_a_report_is_written_on_request(tmp_path: Path) -> None:
    arguments = ["--policy", "tracking-95", "--no-frontier", "--report", str(tmp_path / "deep" / "report")]
    ran = CliRunner().invoke(app, ["simulate", "--trace", str(EXCERPT), *arguments])
    assert ran.exit_code == 0, ran.output
    assert {path.name for path in (tmp_path / "deep" / "report").iterdir()} >= {"report.html", "report.json"}


def test_a_configuration_is_tried_as_it_would_decide(tmp_path: Path) -> None:
    trace = tmp_path / "small.csv"
    rows = "".join(f"{at},b{at},1,2,600,1200,0\n" for at in range(0, 6000, 300))
    trace.write_text(HEADING + rows)
    arguments = ["--config", "swarmkeeper.example.yaml", "--node", "2,8", "--warmup", "0", "--policy", "config"]
    ran = CliRunner().invoke(app, ["simulate", "--trace", str(trace), *arguments, "--pool", "workers", "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert told["policies"][0]["policy"] == "config"
    assert told["policies"][0]["price"] > 0
    unnamed = CliRunner().invoke(app, ["simulate", "--trace", str(trace), *arguments])
    assert unnamed.exit_code == 1
    assert unnamed.output.strip() == "swarmkeeper: pool: '' is none of workers, workers-spot: name one with --pool"
    missing = CliRunner().invoke(app, ["simulate", "--trace", str(trace), "--config", str(tmp_path / "none.yaml")])
    assert missing.output.startswith("swarmkeeper: none.yaml:1: (document): can't be read: ")
    without = CliRunner().invoke(app, ["simulate", "--trace", str(trace), "--warmup", "0", "--policy", "config"])
    assert "which is not given" in without.output
