"""Load on a server by wrk, which is written in C: a client in Python would be slower than what it measures."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from swarmkeeper.cli import output

REPORT = """
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"failed":%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
"""wrk's own hook at the end of a run; what it prints is the last line."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run got through; failed are answers that aren't 2xx or 3xx, and connections that broke."""

    requests: int
    per_s: float
    p50_ms: float
    p99_ms: float
    failed: int


def press(url: str, *, host: str, connections: int, seconds: int) -> Load:
    """Ask for the URL on kept connections, each as soon as it was answered. Ends the command where wrk is missing."""
    program = shutil.which("wrk")
    if program is None:
        output.fail("wrk is missing; on Debian: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(REPORT)
        script.flush()
        options = ["-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s", script.name, "-H", f"Host: {host}"]
        done = subprocess.run([program, *options, url], capture_output=True, text=True, check=True)
    return load_in(done.stdout)


def load_in(printed: str) -> Load:
    """What the report at the end of wrk's output says."""
    told: Mapping[str, int] = json.loads(printed.strip().splitlines()[-1])
    return Load(
        requests=told["requests"],
        per_s=told["requests"] / (told["duration_us"] / 1e6),
        p50_ms=told["p50_us"] / 1000,
        p99_ms=told["p99_us"] / 1000,
        failed=told["failed"],
    )


def compose_folder() -> Path:
    """Where the nodes' compose project stands."""
    from local.starter import project_root  # real engines come with the local cloud only

    return project_root() / "compose" / "node"
