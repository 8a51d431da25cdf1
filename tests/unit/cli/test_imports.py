"""Commands load what they need and no more."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("boto3", "botocore", "docker")


def test_the_command_loads_no_vendors_library_before_it_knows_what_is_asked() -> None:
    script = f"import sys, swarmkeeper.cli.main; print([each for each in {HEAVY} if each in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_benchmark_of_decisions_loads_no_vendors_library() -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from swarmkeeper.cli.main import app;"
        " run = CliRunner().invoke(app, 'bench placement --nodes 2 --containers 2 --decisions 1'.split());"
        f" print(run.exit_code, [each for each in {HEAVY} if each in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "0 []\n"
