"""What functions print is kept, also what comes after the local cloud has closed its files."""

from __future__ import annotations

from pathlib import Path

from local.aws.function_logs import FunctionLogs


def test_lines_are_kept_before_and_after_the_files_are_closed(tmp_path: Path) -> None:
    heard: list[str] = []
    logs = FunctionLogs(tmp_path, heard.append)
    logs.write("front", "one")
    logs.close()
    logs.write("front", "two")
    assert logs.path("front").read_text() == "one\ntwo\n"
    assert heard == ["one", "two"]
