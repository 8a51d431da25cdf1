"""Serves the scaler's messages one by one, so that one that fails keeps no other waiting."""

from __future__ import annotations

from collections.abc import Sequence

from aws_lambda_powertools import Logger

from functions.scaler.triggers import Heard, Todo, Trigger
from functions.scaler.wiring import Wired
from swarmkeeper.adapters.aws.metrics import emit_decision
from swarmkeeper.domain.scaling.decision import Direction, ScalingDecision

logger = Logger()
Failure = tuple[Heard, Exception]


def serve_all(wired: Wired, messages: Sequence[Heard]) -> list[Failure]:
    """Serve all messages; those that failed. What several ask for alike is done once."""
    served: set[Trigger] = set()
    failures: list[Failure] = []
    for heard in messages:
        try:
            trigger = wired.rules.trigger(heard)
            if trigger not in served:
                _serve(wired, trigger, heard.cause)
            served.add(trigger)
        except Exception as error:  # noqa: BLE001  # whatever it was, the next message may still be served
            failures.append((heard, error))
    return failures


def _serve(wired: Wired, trigger: Trigger, cause: str) -> None:
    if trigger.todo is Todo.NOTHING:
        logger.info("trigger ignored", extra={"trigger": trigger.name, "reason": trigger.reason, "cause": cause})
        return
    for decision in _decided(wired, trigger):
        logger.info("scaling decided", extra={"decision": decision.to_log(), "cause": cause})
        _tell(wired.fleet, decision)


def _tell(fleet: str, decision: ScalingDecision) -> None:
    if decision.direction is not Direction.NONE:
        emit_decision(fleet, pool=decision.pool, direction=decision.direction.value, desired=decision.desired)


def _decided(wired: Wired, trigger: Trigger) -> Sequence[ScalingDecision]:
    scaler = wired.scaler
    if trigger.todo is Todo.RECHECK:
        return scaler.recheck()
    if trigger.todo is Todo.NOTE_LAUNCH_FAILURE and trigger.pool is not None:
        return scaler.launch_failed(trigger.pool, trigger.reason, instance_id=trigger.instance_id, at=trigger.at)
    return scaler.decide(trigger.name, trigger.pool)
