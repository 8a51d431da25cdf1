"""Functions' processes are forked from one that has imported their modules, and are like any others."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.aws import forking, functions
from local.aws.forking import Forker, Roots
from local.aws.processes import Program, Spawner
from local.aws.server import AwsServer
from tests.unit.local.wiring import Account, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a parent-death signal")

COUNTING = """
import os, threading
print("imported by", os.getpid())
{begins}

def handler(event, context):
    if event.get("until"):
        open(event["until"] + str(os.getpid()), "w").close()
    while event.get("until") and not os.path.exists(event["until"]):
        threading.Event().wait(0.01)
    return {{"pid": os.getpid(), "threads": threading.active_count(), "answer": {answer}}}
"""


def module(account: Account, begins: str = "", answer: str = "0") -> None:
    (account.folder / "counting.py").write_text(COUNTING.format(begins=begins, answer=answer))


def imports(account: Account) -> int:
    return account.functions.log_path("f").read_text().count("imported by")


def test_all_environments_of_a_function_share_one_import_whose_prints_are_logged(
    account: Account, tmp_path: Path
) -> None:
    module(account)
    account.add(handler="counting.handler")
    release = tmp_path / "release"
    with ThreadPoolExecutor(2) as callers:
        calls = [callers.submit(account.functions.invoke, "f", f'{{"until": "{release}"}}'.encode()) for _ in "ab"]
        wait_until(lambda: len(list(tmp_path.glob("release*"))) == 2)
        release.touch()
        assert len({call.result().payload for call in calls}) == 2
    wait_until(lambda: imports(account) == 1)


def test_a_module_that_starts_threads_is_imported_by_each_process_anew(account: Account) -> None:
    module(account, "threading.Thread(target=threading.Event().wait, daemon=True).start()")
    account.add(handler="counting.handler")
    outcome = account.functions.invoke("f", b"{}")
    assert b'"threads": 2' in outcome.payload
    wait_until(lambda: imports(account) == 2)


def test_code_that_has_changed_is_read_again_when_the_function_is_registered(account: Account) -> None:
    module(account, answer="1")
    account.add(handler="counting.handler")
    assert b'"answer": 1' in account.functions.invoke("f", b"{}").payload
    module(account, answer="1 + 1")
    (spec,) = account.functions.functions()
    account.functions.register(spec)
    assert b'"answer": 2' in account.functions.invoke("f", b"{}").payload


@pytest.fixture
def forker() -> Forker:
    return Forker(lambda name, line: None)


def program(folder: Path) -> Program:
    (folder / "alone.py").touch()
    return Program("alone", "alone.handler", str(folder), (), {"PATH": os.defpath, "PYTHONPATH": str(folder)})


def test_the_end_of_a_process_is_told_with_its_status(forker: Forker, tmp_path: Path) -> None:
    # No runtime API listens there, so the runtime ends by itself.
    process = forker.start(program(tmp_path), {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"})
    assert process.wait() == process.poll() == 1
    with process.output as output:
        assert b"ConnectionRefusedError" in output.read()
    forker.stop()


def test_processes_end_with_what_they_were_forked_from_and_the_next_come_from_another(
    account: Account, tmp_path: Path
) -> None:
    account.add()
    account.functions.invoke("f", b"{}")
    pid = account.calls()[0]["pid"]
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    wait_until(lambda: account.functions.invoke("f", b"{}").succeeded)
    assert account.calls()[-1]["pid"] != pid


def test_a_root_that_fails_is_an_error_and_the_next_program_has_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = Roots()
    forker = Forker(lambda name, line: None, roots)
    monkeypatch.setattr(forking, "SHARED_SERVICES", ("no such service",))
    with pytest.raises(OSError, match="has ended"):
        forker.start(program(tmp_path), {})
    monkeypatch.undo()
    with forker.start(program(tmp_path), {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}).output as output:
        assert output.read()
    forker.stop()
    roots.close()


def test_nothing_is_started_once_stopped(forker: Forker, tmp_path: Path) -> None:
    forker.stop()
    with pytest.raises(OSError, match="being stopped"):
        forker.start(program(tmp_path), {})


def test_each_process_is_started_by_itself_where_none_can_be_forked(
    server: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "starter", lambda log: Spawner())
    account = Account(server, tmp_path)
    try:
        account.add()
        assert account.functions.invoke("f", b'{"number": 1}').payload == b'{"number": 1}'
        assert "exited with status 3" in str(account.functions.invoke("f", b'{"do": "exit"}').payload)
    finally:
        account.stop()
