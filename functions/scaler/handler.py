"""The scaler function: alarms, needs, launches that came to nothing, and the schedule's rechecks."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.scaler.serving import serve_all
from functions.scaler.triggers import is_batch, messages_in
from functions.scaler.wiring import Wired, build
from swarmkeeper.adapters.aws.snapshots import on_snapshots

logger = Logger()


@cache
def wired() -> Wired:  # built on the first event, kept while the environment is warm
    return build(os.environ)


on_snapshots(os.environ, prime=wired, forget=wired.cache_clear)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any] | None:
    """Act on every message in the event; foreign and malformed ones do no harm.

    One that fails doesn't keep the others waiting. A queue is told which are to come again; anything else comes
    again as a whole, because the failure is raised at the end: what was done already is found done.
    """
    failures = serve_all(wired(), messages_in(event))
    if is_batch(event):
        for heard, error in failures:
            logger.error("message comes again", exc_info=error, extra={"cause": heard.cause})
        return {"batchItemFailures": [{"itemIdentifier": heard.receipt} for heard, _ in failures]}
    errors = [error for _, error in failures]
    if errors:
        raise errors[0] if len(errors) == 1 else ExceptionGroup("several messages failed", errors)
    return None
