"""Decisions as they are kept: named so that names sort by time, and told as plain values."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from swarmkeeper.domain.model import PoolName

KEPT_S = 30 * 24 * 3600.0
"""How long a decision can be looked up."""
ID = re.compile(r"\d{13}-[a-z][a-z0-9-]{0,29}-[0-9a-f]{8}")
LAST_MS = 10**13 - 1


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision as it was kept. `facts` is its `to_log()`: JSON's values, by the names of the day it was made."""

    id: str
    at: float
    pool: PoolName
    facts: Mapping[str, object]


def stored(pool: PoolName, facts: Mapping[str, object], *, at: float) -> StoredDecision:
    """The decision with its id, the same for the same decision of the same millisecond: recording twice is harmless.

    Raises TypeError when the facts aren't JSON's values.
    """
    text = json.dumps(facts, sort_keys=True)
    return StoredDecision(f"{moment(at)}-{pool}-{zlib.crc32(text.encode()):08x}", at, pool, json.loads(text))


def moment(at: float) -> str:
    """A time as ids begin with it: milliseconds since the epoch, as wide for every time from 1970 to 2286."""
    return f"{min(max(int(at * 1000), 0), LAST_MS):013d}"


def is_decision_id(text: str) -> bool:
    return ID.fullmatch(text) is not None
