"""The load keeps what was promised, and is only sure of what it was told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from local.chaos import load as load_module
from local.chaos.ledger import Fate, Ledger
from local.chaos.load import Load
from swarmkeeper.cli.fleet import Answer, FleetError


class Fleet:
    """Answers in turn; None is a call that fails."""

    def __init__(self, creates: list[int | None], removes: list[int | None]) -> None:
        self._creates = creates
        self._removes = removes

    def create(self, request: Mapping[str, object]) -> Answer:
        return _answer(self._creates)

    def remove(self, name: str) -> Answer:
        return _answer(self._removes)


def _answer(statuses: list[int | None]) -> Answer:
    status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
    if status is None:
        raise FleetError("nobody answers")
    return {"status": status}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_module, "AGAIN_S", 0.0)


def fate_after(creates: list[int | None], removes: list[int | None] | None = None) -> Fate:
    ledger = Ledger()
    load = Load(Fleet(creates, removes or [200]), "image", ledger, size=1, seed=1)
    load.create("a", movable=True)
    if removes is not None:
        load.remove("a")
    return ledger.fate("a")


@pytest.mark.parametrize(
    ("creates", "fate"),
    [
        pytest.param([201], Fate.ACCEPTED, id="runs"),
        pytest.param([202], Fate.ACCEPTED, id="waits"),
        pytest.param([400], Fate.REFUSED, id="refused"),
        pytest.param([None, 202], Fate.ACCEPTED, id="unheard, then accepted"),
        pytest.param([None, 409], Fate.ACCEPTED, id="unheard, and it was there"),
        pytest.param([503, 201], Fate.ACCEPTED, id="unavailable, then accepted"),
        pytest.param([None], Fate.ASKED, id="never heard"),
    ],
)
def test_a_request_stands_as_its_answers_say(creates: list[int | None], fate: Fate) -> None:
    assert fate_after(creates) is fate


@pytest.mark.parametrize(
    ("removes", "fate"),
    [
        pytest.param([200], Fate.REMOVED, id="removed"),
        pytest.param([None, 404], Fate.REMOVED, id="unheard, and it is gone"),
        pytest.param([409, 200], Fate.REMOVED, id="in somebody's hands, then removed"),
        pytest.param([404], Fate.MISSED, id="unknown"),
        pytest.param([None], Fate.REMOVING, id="never heard"),
    ],
)
def test_a_removal_stands_as_its_answers_say(removes: list[int | None], fate: Fate) -> None:
    assert fate_after([201], removes) is fate


def test_what_nothing_certain_was_said_of_is_removed_at_the_end() -> None:
    ledger = Ledger()
    load = Load(Fleet([None], [404]), "image", ledger, size=1, seed=1)
    load.create("a", movable=True)
    load.finish()
    assert ledger.counts() == {"removed": 1}


def test_at_the_end_each_is_asked_for_once_a_turn() -> None:
    ledger, removes = Ledger(), [None, None, 200]
    load = Load(Fleet([None], removes), "image", ledger, size=1, seed=1)
    load.create("a", movable=True)
    load.finish()
    assert (len(removes), ledger.fate("a")) == (2, Fate.REMOVING)
    load.finish()
    load.finish()
    assert ledger.fate("a") is Fate.REMOVED
