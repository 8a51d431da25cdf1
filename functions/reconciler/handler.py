"""The reconciler function: on its schedule it emits the fleet's metrics and has lost events made good.

Called with `{"rebuild": true}` it records a shard of the fleet anew from what lives; nothing else makes it do so.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.reconciler.rebuilding import RebuildCall, answer_of, rebuild_call, summary_of
from functions.reconciler.wiring import Wired, build
from swarmkeeper.adapters.aws.metrics import emit_figures

logger = Logger()

REBUILD_S = 30.0
"""No node is begun later than this in a call; one may take as long as its engine, and the function has 55 s."""


@cache
def wired() -> Wired:  # built on the first event, kept while the environment is warm
    return build(os.environ)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any] | None:
    """Serve the schedule, or who asks for a rebuild."""
    call = rebuild_call(event)
    if call is not None:
        return _rebuild(call)
    _tick()
    return None


def _rebuild(call: RebuildCall) -> dict[str, Any]:
    rebuilt = wired().rebuild.run(after=call.after, until=wired().clock.now() + REBUILD_S)
    logger.info("table rebuilt", extra={"after": call.after, **summary_of(rebuilt)})
    return answer_of(rebuilt)


def _tick() -> None:
    """Measure first, so that the figures arrive even when a manager does not answer."""
    figures = wired().reconciler.measure()
    emit_figures(figures, wired().fleet)
    try:
        nudges = wired().reconciler.nudge()
        logger.info(
            "fleet measured",
            extra={"pending": figures.pending, "checked_nodes": nudges.nodes, "retried_containers": nudges.containers},
        )
    finally:  # a Swarm that does not answer keeps nobody alive
        for expired in wired().lifetimes.end_overdue():
            logger.info("container expired", extra={"container": expired.name, "reason": expired.reason})
