"""Serves the registrar's messages one by one; one that must wait comes again in seconds."""

from __future__ import annotations

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from functions.registrar.dispatch import dispatch
from functions.registrar.wiring import Wired
from swarmkeeper.adapters.aws.metrics import emit_loss_refused
from swarmkeeper.edge.events import bus_event_in
from swarmkeeper.errors import Conflict, SwarmkeeperError, Unavailable

SOON_S, TRIES_A_PACE, AT_MOST_S = 5, 4, 30
"""What is not there yet is there in seconds; what takes longer is asked for less often, so that the queue's
receive limit of 60 lasts some 25 minutes. The queue's own visibility time-out would waste a minute each time."""

logger = Logger()


def take(wired: Wired, record: SQSRecord) -> None:
    """Serve one message; what raises is reported as this message's failure and delivered again."""
    try:
        event = bus_event_in(record.body)
        progress = dispatch(wired.registrar, event, wired.fleet, wired.check_tokens, wired.renew_clients)
    except (Unavailable, Conflict) as error:
        logger.info("not yet", extra={"reason": str(error), "receives": record.attributes.approximate_receive_count})
        _retry_soon(wired, record)
        raise
    except SwarmkeeperError:
        logger.exception("message failed", extra={"message_id": record.message_id})
        raise
    logger.info("membership step", extra={"event": event.detail_type, "event_id": event.id, **progress})
    if progress.get("refused"):
        logger.error("a silent node is not declared lost", extra={"event_id": event.id, **progress})
        emit_loss_refused(wired.fleet)
    if progress.get("more_to_do"):
        _retry_soon(wired, record)
        raise Unavailable("there is more to do than one invocation has time for")


def _retry_soon(wired: Wired, record: SQSRecord) -> None:
    receives = int(record.attributes.approximate_receive_count)
    wired.messages.retry_in(record.receipt_handle, retry_after_s(receives))


def retry_after_s(receives: int) -> int:
    """The pause before a message that was received so often comes again."""
    return min(SOON_S * (1 + (receives - 1) // TRIES_A_PACE), AT_MOST_S)
