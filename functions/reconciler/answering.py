"""Who calls the reconciler itself is answered: with what a look has found, or what of a rebuild."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from functions.reconciler.calls import RebuildCall, ReconcileCall, answer_of, nudged, summary_of
from functions.reconciler.ticking import tick
from functions.reconciler.wiring import Wired

logger = Logger()

REBUILD_S = 30.0
"""No node is begun later than this in a call; one may take as long as its engine, and the function has 55 s."""


def answered(call: RebuildCall | ReconcileCall, wired: Wired) -> dict[str, Any]:
    """Do what is asked, and tell it. Raises Unavailable."""
    if isinstance(call, ReconcileCall):
        return nudged(tick(wired, every_engine=True))
    rebuilt = wired.rebuild.run(after=call.after, until=wired.clock.now() + REBUILD_S)
    logger.info("table rebuilt", extra={"after": call.after, **summary_of(rebuilt)})
    return answer_of(rebuilt)
