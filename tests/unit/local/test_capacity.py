"""EC2's capacity runs out and comes back on command."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from local import starter
from local.aws.capacity import Capacity, Shortage, lacking, limited
from swarmkeeper.cli.main import app

GROUPS = {"workers": "demo-workers", "gpu": "demo-gpu"}


def test_there_is_no_end_of_it_until_it_is_said() -> None:
    capacity = Capacity()
    assert all(capacity.take("t3.small", "demo-workers") for _ in range(1000))


def test_every_shortage_that_covers_a_launch_counts_it_and_a_refused_one_counts_nowhere() -> None:
    capacity = Capacity()
    capacity.run_out(Shortage("t3.small"), left=2)
    capacity.run_out(Shortage(group="demo-workers"), left=1)
    assert [capacity.take("t3.small", "demo-workers") for _ in range(2)] == [True, False]
    assert capacity.shortages() == {Shortage("t3.small"): 1, Shortage(group="demo-workers"): 0}
    assert capacity.take("t3.small", "demo-gpu")
    assert not capacity.take("t3.small", "demo-gpu")
    assert capacity.take("g5.xlarge", "demo-gpu")


def test_groups_look_again_when_it_changes() -> None:
    looked: list[str] = []
    capacity = Capacity(on_change=lambda: looked.append("again"))
    capacity.run_out(Shortage("t3.small"))
    capacity.restore(Shortage("t3.small"))
    assert looked == ["again", "again"]


def test_a_request_sets_ends_and_tells_shortages() -> None:
    capacity = Capacity()
    short = limited(capacity, GROUPS, {"pool": "gpu", "type": "g5.xlarge", "left": 0})
    assert short == [{"pool": "gpu", "type": "g5.xlarge", "left": 0}]
    assert limited(capacity, GROUPS, {}) == short
    assert limited(capacity, GROUPS, {"pool": "gpu", "type": "g5.xlarge", "left": None}) == []


def test_a_pool_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no pool web"):
        limited(Capacity(), GROUPS, {"pool": "web", "left": 0})


def test_a_lack_is_told_in_ec2s_words() -> None:
    told = lacking("t3.small", "eu-central-1a", ("eu-central-1b", "eu-central-1c"))
    assert told.startswith(
        "We currently do not have sufficient t3.small capacity in the Availability Zone you requested"
    )
    assert told.endswith("or choosing eu-central-1b, eu-central-1c.")


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["--pool", "gpu"], {"pool": "gpu", "type": "", "left": 0}),
        (["--type", "t3.small", "--left", "3"], {"pool": "", "type": "t3.small", "left": 3}),
        (["--pool", "gpu", "--restore"], {"pool": "gpu", "type": "", "left": None}),
        ([], {"pool": "", "type": "", "left": None}),
    ],
)
def test_the_command_asks_the_daemon(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], asked: dict[str, object]
) -> None:
    requests: list[dict[str, object]] = []

    def ask(do: str, **request: object) -> dict[str, object]:
        requests.append({"do": do, **request})
        return {"short": [{"pool": "gpu", "type": "", "left": 0}]}

    monkeypatch.setattr(starter, "ask", ask)
    done = CliRunner().invoke(app, ["local", "capacity", *arguments])
    assert requests == [{"do": "capacity", **asked}]
    assert done.stdout.splitlines()[1].split() == ["gpu", "any", "0"]


@pytest.mark.parametrize("arguments", [["--left", "1"], ["--restore"], ["--pool", "gpu", "--restore", "--left", "1"]])
def test_a_command_that_makes_no_sense_is_wrong_usage(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["local", "capacity", *arguments]).exit_code == 2
