"""What engines and the way to them can answer, translated into the error tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from docker.errors import APIError, DockerException, ImageNotFound
from requests import ConnectionError as HttpConnectionError
from requests import ConnectTimeout, RequestException
from requests.exceptions import ProxyError
from urllib3.exceptions import NewConnectionError

from swarmkeeper.errors import (
    Conflict,
    Declined,
    ImageMissing,
    InvalidInput,
    NoLeader,
    SwarmkeeperError,
    Unavailable,
    Unreachable,
)

LONGEST_EXPLANATION = 500
NO_CONTAINER = "no such container"
NO_LEADER = "swarm does not have a leader"


class SentBefore(HttpConnectionError):
    """A request that had gone out on a connection that broke could not be sent again."""


@contextmanager
def translated(subject: str, operation: str) -> Iterator[None]:
    """Raise what the SDK raises inside as an error of ours that names the node and the operation."""
    try:
        yield
    except ImageNotFound as error:
        raise ImageMissing(f"{subject}: {explanation_of(error)}") from error
    except APIError as error:
        raise _refusal(error, subject, operation) from error
    except (RequestException, DockerException) as error:
        # The vendor's text stays in the cause; a proxy's or a certificate's details help nobody who calls us.
        kind = Unreachable if was_not_sent(error) else Unavailable
        raise kind(f"{subject} does not answer to {operation}: {type(error).__name__}") from error


def was_not_sent(error: BaseException) -> bool:
    """Whether no connection was made, so that the engine can't have begun what was asked."""
    if isinstance(error, SentBefore):
        return False
    if isinstance(error, ConnectTimeout | ProxyError):  # a proxy's error is one of reaching the engine through it
        return True
    return any(isinstance(each, NewConnectionError) or _is_handshake(each) for each in _chain(error))


def _is_handshake(error: BaseException) -> bool:
    """Whether TLS wasn't agreed in time: the request itself had not gone out. Python says so in the text alone."""
    return isinstance(error, TimeoutError) and "handshake" in str(error)


def explanation_of(error: APIError) -> str:
    """The engine's own sentence, cut to what a log line can hold."""
    return (error.explanation or str(error))[:LONGEST_EXPLANATION]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it stems from; urllib3 keeps the cause of a last try in `reason`, requests in `args`."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = [part for part in (*each.args, getattr(each, "reason", None)) if isinstance(part, BaseException)]
        waiting += [*inner, each.__cause__]


def _refusal(error: APIError, subject: str, operation: str) -> SwarmkeeperError:
    """An answer other than success.

    400 is the request's own fault. 404 for a container and 409 mean that somebody else has been here. All else
    may pass: 404 for a network that hasn't reached the node, any 5xx.
    """
    text = explanation_of(error)
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return InvalidInput("container", text)
    gone = error.status_code == HTTPStatus.NOT_FOUND and NO_CONTAINER in text.lower()
    if gone or error.status_code == HTTPStatus.CONFLICT:
        return Conflict(f"{subject} refuses to {operation}: {text}")
    if NO_LEADER in text.lower():
        return NoLeader(f"{subject} can't {operation}: {text}")
    return Declined(f"{subject} fails to {operation}: {error.status_code} {text}")
