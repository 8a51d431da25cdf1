"""Where AWS puts what it could not deliver: a dead-letter queue, or a topic."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.arns import Arn
from local.aws.server import AwsServer

logger = logging.getLogger(__name__)


def send(server: AwsServer, arn: str, body: str, attributes: Mapping[str, str] | None = None) -> None:
    """Send `body` to a queue or a topic; nothing happens without an `arn`, a failure is logged."""
    if not arn:
        return
    service, name = Arn.parse(arn).service, Arn.parse(arn).resource
    values = {key: _attribute(value) for key, value in (attributes or {}).items()}
    try:
        if service == "sqs":
            url = f"{server.endpoint_url}/{server.account}/{name}"
            server.client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageAttributes=values)
        elif service == "sns":
            server.client("sns").publish(TopicArn=arn, Message=body, MessageAttributes=values)
        else:
            logger.warning("no destination of this kind here", extra={"arn": arn})
    except (BotoCoreError, ClientError) as error:
        logger.warning("dead letter lost: %s", error, extra={"arn": arn})


def _attribute(value: str) -> dict[str, str]:
    return {"DataType": "Number" if value.isdigit() else "String", "StringValue": value or "unknown"}
