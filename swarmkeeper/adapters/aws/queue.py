"""The registrar's queue, as far as the registrar itself touches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.errors import aws_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Messages:
    """Messages in flight."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def retry_in(self, receipt_handle: str, seconds: int) -> None:
        """Have a message that is about to be reported as failed delivered again in `seconds`."""
        with aws_errors():
            self._client.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
            )
