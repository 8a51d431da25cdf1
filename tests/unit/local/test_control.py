from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.control import ControlError, ControlServer, ask


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "socket"
    handlers = {"echo": lambda request: {"got": request["word"]}, "fail": lambda request: {"never": 1 // 0}}
    server = ControlServer(path, handlers)
    yield path
    server.stop()
    assert not path.exists()


def test_a_request_is_answered(socket: Path) -> None:
    assert ask(socket, "echo", word="hello") == {"got": "hello"}


def test_a_failing_request_tells_the_asker_and_the_server_lives_on(socket: Path) -> None:
    with pytest.raises(ControlError, match="ZeroDivisionError"):
        ask(socket, "fail")
    assert ask(socket, "echo", word="still here") == {"got": "still here"}


def test_an_unknown_request_is_refused(socket: Path) -> None:
    with pytest.raises(ControlError, match="dance"):
        ask(socket, "dance")


def test_only_its_user_may_ask(socket: Path) -> None:
    assert socket.stat().st_mode & 0o777 == 0o600


def test_without_a_daemon_the_asker_is_told(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="does not answer"):
        ask(tmp_path / "nobody", "echo")
