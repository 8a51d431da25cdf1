"""Who calls the reconciler itself is answered: what a look or a rebuild has found, or whether recovery is ordered."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from functions.reconciler.calls import Call, ReconcileCall, RecoverCall, answer_of, nudged, summary_of
from functions.reconciler.ticking import tick
from functions.reconciler.wiring import Wired
from swarmkeeper.domain.model import PoolName
from swarmkeeper.errors import Conflict, InvalidInput, UnsafeAction

logger = Logger()

REBUILD_S = 30.0
"""No node is begun later than this in a call; one may take as long as its engine, and the function has 55 s."""


def answered(call: Call, wired: Wired) -> dict[str, Any]:
    """Do what is asked, and tell it. Raises Unavailable."""
    if isinstance(call, ReconcileCall):
        return nudged(tick(wired, every_engine=True))
    if isinstance(call, RecoverCall):
        return _ordered(call.recover, wired)
    rebuilt = wired.rebuild.run(after=call.after, until=wired.clock.now() + REBUILD_S)
    logger.info("table rebuilt", extra={"after": call.after, **summary_of(rebuilt)})
    return answer_of(rebuilt)


def _ordered(pool: str, wired: Wired) -> dict[str, Any]:
    """Who is to recover the Swarm, as far as it is there yet; or why nobody is told to."""
    try:
        node = wired.slots.order(PoolName(pool))
    except (InvalidInput, UnsafeAction, Conflict) as refused:
        return {"pool": pool, "node": "", "refused": str(refused)}
    logger.info("recovery ordered", extra={"pool": pool, "node": node})
    return {"pool": pool, "node": node, "refused": ""}
