"""Requests as a load balancer hands them to a function, and answers as it takes them.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from swarmkeeper.domain.model import ContainerName, NodeId
from swarmkeeper.edge.container_names import check_name
from swarmkeeper.errors import InvalidInput

NODE_HEADER = "Swarmkeeper-Node"
METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: `/<name>` by GET."""

    method: str
    path: str


def question_in(event: object) -> Question:
    """The request in a load balancer's event. Raises InvalidInput for any other event."""
    if not isinstance(event, dict) or not _is_balancers(event.get("requestContext")):
        raise InvalidInput("requestContext.elb.targetGroupArn", "is missing: only a load balancer calls this function")
    for field in ("httpMethod", "path"):
        if not isinstance(event.get(field), str):
            raise InvalidInput(field, "must be a text")
    return Question(event["httpMethod"], event["path"])


def _is_balancers(context: object) -> bool:
    balancer = context.get("elb") if isinstance(context, dict) else None
    return isinstance(balancer, dict) and isinstance(balancer.get("targetGroupArn"), str)


def answer_to(question: Question, node_of: Callable[[ContainerName], NodeId | None]) -> dict[str, Any]:
    """200 with the node that holds the container's reservation, 404 where none does; 400 for what can be no name."""
    if question.method not in METHODS:
        return _answer(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": ", ".join(METHODS)})
    name = question.path.removeprefix("/")
    try:
        check_name(name)
    except InvalidInput:
        return _answer(HTTPStatus.BAD_REQUEST)
    node = node_of(ContainerName(name))
    return _answer(HTTPStatus.NOT_FOUND) if node is None else _answer(HTTPStatus.OK, {NODE_HEADER: node})


def _answer(status: HTTPStatus, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "statusCode": status.value,
        "statusDescription": f"{status.value} {status.phrase}",
        "headers": dict(headers or {}),
        "isBase64Encoded": False,
        "body": "",
    }
