"""The registrar function: lifecycle hooks, ends of commands, drains and checks, through its queue."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.registrar.messages import take
from functions.registrar.wiring import Wired, build
from swarmkeeper.adapters.aws.snapshots import on_snapshots
from swarmkeeper.adapters.pki.entropy import renew_key_seed

logger = Logger()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def wired() -> Wired:  # built on the first event, kept while the environment is warm
    return build(os.environ)


on_snapshots(os.environ, prime=wired, forget=wired.cache_clear, renewals=(renew_key_seed,))


def serve(record: SQSRecord) -> None:
    """Serve one message; wiring that fails is this message's failure too."""
    take(wired(), record)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Report failed messages one by one, so that only they come again."""
    return dict(process_partial_response(event=event, record_handler=serve, processor=processor, context=context))
