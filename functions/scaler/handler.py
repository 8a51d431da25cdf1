"""The scaler function: alarms, needs, launches that came to nothing, and the schedule's rechecks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.scaler.triggers import Heard, Todo, Trigger, messages_in
from functions.scaler.wiring import Wired, build
from swarmkeeper.domain.scaling.decision import ScalingDecision
from swarmkeeper.ports import StateStore

logger = Logger()

REMEMBERED_S = 24 * 3600.0
"""How long a launch failure is known again; the bus gives up a delivery after a day."""


@cache
def wired() -> Wired:  # built on the first event, kept while the environment is warm
    return build(os.environ)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Act on every message in the event, foreign and malformed ones harmlessly.

    One that fails doesn't keep the others waiting; at the end it is raised, so that the whole event comes again:
    what was done already is found done.
    """
    failures: list[Exception] = []
    for heard in messages_in(event):
        try:
            _take(heard, context.aws_request_id)
        except Exception as error:  # noqa: BLE001  # whatever it was, the next message may still be served
            failures.append(error)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("several messages failed", failures)


def _take(heard: Heard, request_id: str) -> None:
    trigger = wired().rules.trigger(heard)
    if trigger.todo is Todo.NOTE_LAUNCH_FAILURE and not _is_first(heard, request_id):
        trigger = Trigger(trigger.name, Todo.NOTHING, trigger.pool, "it was told before")
    if trigger.todo is Todo.NOTHING:
        logger.info("trigger ignored", extra={"trigger": trigger.name, "reason": trigger.reason, "cause": heard.cause})
        return
    for decision in _decided(trigger):
        logger.info("scaling decided", extra={"decision": decision.to_log(), "cause": heard.cause})


def _decided(trigger: Trigger) -> Sequence[ScalingDecision]:
    scaler = wired().scaler
    if trigger.todo is Todo.RECHECK:
        return scaler.recheck()
    if trigger.todo is Todo.NOTE_LAUNCH_FAILURE and trigger.pool is not None:
        return scaler.launch_failed(trigger.pool, trigger.reason, instance_id=trigger.instance_id)
    return scaler.decide(trigger.name, trigger.pool)


def _is_first(heard: Heard, request_id: str) -> bool:
    """Whether this event has not been taken by another invocation; a retry is the same invocation."""
    store: StateStore = wired().store
    now = wired().clock.now()
    return (
        store.claim(f"launch-failure-{heard.cause}", request_id, now=now, expires_at=now + REMEMBERED_S) == request_id
    )
