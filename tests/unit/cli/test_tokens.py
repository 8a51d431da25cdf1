"""The commands about join tokens: they ask, wait, and tell when; never what a token is."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from swarmkeeper.cli import tokens
from swarmkeeper.cli.api import Api
from swarmkeeper.cli.main import app
from tests.unit.cli.test_containers import FakeApi, answering

ROTATED_AT = 1_795_387_200.0
SETTLED = {"asked_at": None, "begun_at": ROTATED_AT - 1, "rotated_at": ROTATED_AT, "under_way": False}
NEVER = {"asked_at": None, "begun_at": None, "rotated_at": None, "under_way": False}
ASKED = SETTLED | {"asked_at": ROTATED_AT + 9, "under_way": True}


def invoke(monkeypatch: pytest.MonkeyPatch, fake: FakeApi, *arguments: str) -> Result:
    monkeypatch.setattr(tokens, "PAUSE_S", 0.0)
    monkeypatch.setattr(tokens, "find_api", lambda fleet, url: Api("https://api.example", fake.send))
    return CliRunner().invoke(app, ["tokens", *arguments])


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (SETTLED, "rotated: 2026-11-22 22:40:00 UTC"),
        (NEVER, "rotated: not yet"),
        (ASKED, "new ones are on their way"),
    ],
)
def test_when_the_tokens_were_made_is_told(
    monkeypatch: pytest.MonkeyPatch, standing: dict[str, object], said: str
) -> None:
    fake = answering((200, standing))
    done = invoke(monkeypatch, fake)
    assert (done.exit_code, fake.asked[0].route) == (0, "GET /tokens")
    assert said in done.stdout


def test_a_rotation_is_asked_for_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering((202, ASKED), (200, ASKED), (200, SETTLED))
    done = invoke(monkeypatch, fake, "rotate", "--json")
    assert [each.route for each in fake.asked] == ["POST /tokens/rotation", "GET /tokens", "GET /tokens"]
    assert (done.exit_code, json.loads(done.stdout)["under_way"]) == (0, False)


def test_who_does_not_wait_is_told_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering((202, ASKED))
    done = invoke(monkeypatch, fake, "rotate", "--wait", "0")
    assert (done.exit_code, len(fake.asked)) == (0, 1)
    assert "on their way" in done.stdout


def test_a_rotation_that_takes_longer_than_the_wait_is_a_failure_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_settled", lambda api, found, wait_s: found)
    done = invoke(monkeypatch, answering((202, ASKED)), "rotate", "--wait", "1")
    assert done.exit_code == 1
    assert "not rotated within 1 s" in done.stderr
