"""Labels that placement itself understands."""

from __future__ import annotations

import re
from collections.abc import Mapping

STANDARD_LABELS = frozenset({"storagedriver", "kernelversion", "operatingsystem", "ostype"})
"""Set from what the engine says of itself; a node's own labels can't override them."""
SLOTS_LABEL = "containerslots"

# What Go's Atoi takes: no spaces, underscores or other digits. Nineteen digits hold all of its 64 bits.
INTEGER = re.compile(r"([+-]?)0*([0-9]{1,19})")
LARGEST = 2**63 - 1


def node_labels(own: Mapping[str, str], engine: Mapping[str, str]) -> dict[str, str]:
    """A node's labels: its own without standard ones, and the standard ones that its engine reports."""
    kept = {key: value for key, value in own.items() if key not in STANDARD_LABELS}
    return kept | {key: value for key, value in engine.items() if key in STANDARD_LABELS}


def slots_from(labels: Mapping[str, str]) -> int | None:
    """How many containers the label `containerslots` allows; None (no limit) when it is not an integer."""
    number = INTEGER.fullmatch(labels.get(SLOTS_LABEL, ""))
    if number is None:
        return None
    slots = int(f"{number[1]}{number[2]}")
    return slots if -LARGEST - 1 <= slots <= LARGEST else None
