"""What functions asked for is kept in a file, over many runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.aws.recording import VARIABLE, lacking, main, record, recorded, without_fleet

RUN = {"demo-scaler": frozenset({"dynamodb:GetItem demo-state", "ec2:DescribeInstances"})}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "new" / "calls.json"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def test_runs_are_added_to_what_was_recorded_before(kept: Path) -> None:
    record(RUN, "demo")
    record({"demo-scaler": frozenset({"events:PutEvents"}), "demo-placement": frozenset({"ssm:SendCommand"})}, "demo")
    assert recorded(kept) == {
        "placement": {"ssm:SendCommand"},
        "scaler": {"dynamodb:GetItem state", "ec2:DescribeInstances", "events:PutEvents"},
    }


def test_a_file_is_the_same_whatever_the_order_of_its_runs(kept: Path) -> None:
    record(RUN, "demo")
    first = kept.read_text()
    record(RUN, "demo")
    assert kept.read_text() == first


def test_nothing_is_recorded_unless_it_is_asked_for(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    record(RUN, "demo")
    assert not kept.exists()


@pytest.mark.parametrize(
    ("call", "without"),
    [
        ("dynamodb:Query demo-state/index/by_kind", "dynamodb:Query state/index/by_kind"),
        ("secretsmanager:GetSecretValue demo/ca", "secretsmanager:GetSecretValue ca"),
        ("ssm:GetParameter /demo/join-token/worker", "ssm:GetParameter join-token/worker"),
        ("ssm:SendCommand demo-node-join", "ssm:SendCommand node-join"),
        ("ssm:SendCommand instance", "ssm:SendCommand instance"),
    ],
)
def test_names_are_kept_without_the_fleets(call: str, without: str) -> None:
    assert without_fleet({"demo-f": frozenset({call})}, "demo") == {"f": {without}}


def test_two_recordings_are_compared_both_ways(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record(RUN, "demo")
    run = tmp_path / "run.json"
    monkeypatch.setenv(VARIABLE, str(run))
    record({"demo-scaler": frozenset({"ec2:DescribeInstances", "events:PutEvents"})}, "demo")
    assert main([str(run), str(kept)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "kept, and not called in this run: scaler: dynamodb:GetItem state",
        "called in this run, and not kept yet: scaler: events:PutEvents",
    ]
    assert lacking(recorded(kept), recorded(kept)) == []
