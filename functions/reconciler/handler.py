"""The reconciler function: on its schedule it emits the fleet's metrics and has lost events made good."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.reconciler.wiring import Wired, build
from swarmkeeper.adapters.aws.metrics import emit_figures

logger = Logger()


@cache
def wired() -> Wired:  # built on the first event, kept while the environment is warm
    return build(os.environ)


@logger.inject_lambda_context(clear_state=True)
def handler(_event: dict[str, Any], _context: LambdaContext) -> None:
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
