"""The scaler function: alarms, needs, launches that came to nothing, and the schedule's rechecks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.scaler.triggers import Heard, Todo, Trigger, is_batch, messages_in
from functions.scaler.wiring import Wired, build
from swarmkeeper.domain.scaling.decision import ScalingDecision

logger = Logger()
Failure = tuple[Heard, Exception]


@cache
def wired() -> Wired:  # built on the first event, kept while the environment is warm
    return build(os.environ)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any] | None:
    """Act on every message in the event; foreign and malformed ones do no harm.

    One that fails doesn't keep the others waiting. A queue is told which are to come again; anything else comes
    again as a whole, because the failure is raised at the end: what was done already is found done.
    """
    failures = _failures(messages_in(event))
    if is_batch(event):
        for heard, error in failures:
            logger.error("message comes again", exc_info=error, extra={"cause": heard.cause})
        return {"batchItemFailures": [{"itemIdentifier": heard.receipt} for heard, _ in failures]}
    errors = [error for _, error in failures]
    if errors:
        raise errors[0] if len(errors) == 1 else ExceptionGroup("several messages failed", errors)
    return None


def _failures(messages: Sequence[Heard]) -> list[Failure]:
    """Serve all messages; those that failed. What several ask for alike is done once."""
    served: set[Trigger] = set()
    failures: list[Failure] = []
    for heard in messages:
        try:
            trigger = wired().rules.trigger(heard)
            if trigger not in served:
                _serve(trigger, heard.cause)
            served.add(trigger)
        except Exception as error:  # noqa: BLE001  # whatever it was, the next message may still be served
            failures.append((heard, error))
    return failures


def _serve(trigger: Trigger, cause: str) -> None:
    if trigger.todo is Todo.NOTHING:
        logger.info("trigger ignored", extra={"trigger": trigger.name, "reason": trigger.reason, "cause": cause})
        return
    for decision in _decided(trigger):
        logger.info("scaling decided", extra={"decision": decision.to_log(), "cause": cause})


def _decided(trigger: Trigger) -> Sequence[ScalingDecision]:
    scaler = wired().scaler
    if trigger.todo is Todo.RECHECK:
        return scaler.recheck()
    if trigger.todo is Todo.NOTE_LAUNCH_FAILURE and trigger.pool is not None:
        return scaler.launch_failed(trigger.pool, trigger.reason, instance_id=trigger.instance_id, at=trigger.at)
    return scaler.decide(trigger.name, trigger.pool)
