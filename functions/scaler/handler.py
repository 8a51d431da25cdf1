"""The scaler function: alarms through SNS, abandoned launches, and the schedule's rechecks."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.scaler.triggers import Trigger, triggers_in
from functions.scaler.wiring import Wired, build

logger = Logger()


@cache
def wired() -> Wired:  # built on the first event, kept while the environment is warm
    return build(os.environ)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Decide for every trigger in the event; foreign ones decide nothing, malformed ones raise InvalidInput."""
    for trigger in triggers_in(event, wired().fleet):
        _decide(trigger)


def _decide(trigger: Trigger) -> None:
    if trigger.ignored:
        logger.info("trigger ignored", extra={"trigger": trigger.name, "reason": trigger.ignored})
        return
    scaler = wired().scaler
    decisions = scaler.recheck() if trigger.is_schedule else scaler.decide(trigger.name, trigger.pool)
    for decision in decisions:
        logger.info("scaling decided", extra={"decision": decision.to_log(), "cause": trigger.cause})
