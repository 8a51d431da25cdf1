"""The public conformance data."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "conformance"
CASES = DATA / "cases.jsonl.gz"
DEVIATIONS = DATA / "deviations.jsonl"


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The file's lines as plain values."""
    content = path.read_bytes()
    text = gzip.decompress(content) if path.suffix == ".gz" else content
    return [json.loads(line) for line in text.splitlines()]
