"""One tick of the schedule: measure, have lost events made good, end what is overdue."""

from __future__ import annotations

from aws_lambda_powertools import Logger

from functions.reconciler.wiring import Wired
from swarmkeeper.adapters.aws.metrics import emit_figures
from swarmkeeper.errors import Unavailable
from swarmkeeper.services.reconciler import Nudges

logger = Logger()


def tick(wired: Wired, *, every_engine: bool = False) -> Nudges:
    """Measure first, so that the figures arrive even when a manager does not answer. Raises Unavailable then."""
    figures = wired.reconciler.measure()
    emit_figures(figures, wired.fleet)
    try:
        nudges = wired.reconciler.nudge(every_engine=every_engine)
        logger.info(
            "fleet measured",
            extra={
                "pending": figures.pending,
                "checked_nodes": nudges.nodes,
                "retried_containers": nudges.containers,
                "differences": {difference: len(where) for difference, where in nudges.found.items()},
            },
        )
    finally:  # a Swarm that does not answer keeps nobody alive
        for expired in wired.lifetimes.end_overdue():
            logger.info("container expired", extra={"container": expired.name, "reason": expired.reason})
    _sweep(wired, now=every_engine)
    return nudges


def _sweep(wired: Wired, *, now: bool) -> None:
    """What can't be looked at now is at a later tick: an empty network costs addresses, and nothing else."""
    if wired.networks is None:
        return
    try:
        removed = wired.networks.sweep(now=now)
    except Unavailable as error:
        logger.info("networks not looked at", extra={"reason": str(error)})
        return
    if removed:
        logger.info("networks removed", extra={"networks": removed})
