"""AWS's errors as ours; the only place that reads boto3's exceptions by code, besides a few named outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from swarmkeeper.errors import InvariantBroken, SwarmkeeperError, Unavailable

THROTTLING = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ResourceContention",
        "ScalingActivityInProgress",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "TooManyUpdates",
        "TransactionInProgressException",
    }
)
"""Codes that come with status 400 and pass by themselves."""

NOT_ALLOWED_YET = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
"""Permissions spread through AWS in seconds to minutes, so a refusal may pass; the retry's limit tells."""

SERVER_ERROR = 500


def code_of(error: ClientError) -> str:
    """AWS's error code, `""` where the answer has none."""
    return error.response.get("Error", {}).get("Code", "")


def message_of(error: ClientError) -> str:
    """AWS's message, `""` where the answer has none."""
    return error.response.get("Error", {}).get("Message", "")


def translated(error: ClientError | BotoCoreError) -> SwarmkeeperError:
    """Our error for this one: what may pass is Unavailable, a request that AWS can't take is InvariantBroken.

    The text names the operation and the code, never what was sent: that may be a token.
    """
    if isinstance(error, ClientError):
        return _from_answer(error)
    if isinstance(error, ParamValidationError):
        return InvariantBroken("AWS was called with parameters that its model refuses")
    return Unavailable(f"AWS did not answer: {type(error).__name__}")


def _from_answer(error: ClientError) -> SwarmkeeperError:
    code = code_of(error)
    text = f"{error.operation_name}: {code or 'no code'}"
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= SERVER_ERROR or code in THROTTLING or code in NOT_ALLOWED_YET:
        return Unavailable(text)
    return InvariantBroken(text)


@contextmanager
def aws_errors() -> Iterator[None]:
    """Translate what boto3 raises inside the block."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translated(error) from error
