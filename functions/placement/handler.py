"""The placement function: direct calls, HTTP requests, and events that make room or ask for another try."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.placement.http import summary
from functions.placement.wiring import Wired, build
from swarmkeeper.adapters.aws.snapshots import on_snapshots
from swarmkeeper.edge.events import bus_event
from swarmkeeper.edge.http_event import is_http

logger = Logger()


@cache
def wired() -> Wired:  # built on the first event, kept while the environment is warm
    return build(os.environ)


on_snapshots(os.environ, prime=wired, forget=wired.cache_clear)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Answer a call or a request, or take an event; an event that can't be served now raises, so that it is retried."""
    if "detail-type" in event:
        outcome = wired().events.take(bus_event(event))
        logger.info("event taken", extra=outcome)
        return outcome
    if is_http(event):
        served = wired().http.serve(event)
        logger.info("request answered", extra=summary(event, served))
        return served
    answer = wired().api.answer(event)
    logger.info("call answered", extra={"action": str(event.get("action")), **wired().api.summary(answer)})
    return answer
