"""The placement function: direct calls, node-ready and retry events, ends of image pulls."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.placement.api import PlacementApi
from functions.placement.wiring import build
from swarmkeeper.edge.events import bus_event
from swarmkeeper.errors import SwarmkeeperError

logger = Logger()


@cache
def api() -> PlacementApi:  # built on the first event, kept while the environment is warm
    return build(os.environ)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Answer a direct call, or take an event; an event that can't be served now raises, so that it is retried."""
    if "detail-type" in event:
        outcome = api().take(bus_event(event))
        logger.info("event taken", extra=outcome)
        return outcome
    try:
        answer = api().call(event)
    except SwarmkeeperError as error:
        answer = api().refuse(error)
    logger.info("call answered", extra={"action": str(event.get("action")), **api().summary(answer)})
    return answer
