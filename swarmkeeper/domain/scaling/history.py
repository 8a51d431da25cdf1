"""Decisions as they are kept: named so that names sort by time, and told as plain values."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from swarmkeeper.domain.model import PoolName

KEPT_S = 30 * 24 * 3600.0
"""How long a decision can be looked up."""
ID = re.compile(r"\d{8}T\d{9}Z-(?P<pool>[a-z][a-z0-9-]{0,29})-[0-9a-f]{8}")
LAST_TIME = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


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
    """A time as ids begin with it, to the millisecond, such as `20261124T101500250Z`; bounded to what ids can hold."""
    whole_ms = int(min(max(at, 0.0), LAST_TIME) * 1000)
    return f"{datetime.fromtimestamp(whole_ms // 1000, UTC):%Y%m%dT%H%M%S}{whole_ms % 1000:03d}Z"


def is_decision_id(text: str) -> bool:
    return ID.fullmatch(text) is not None
