"""Whether a resource's policy lets an AWS service deliver to it: without that, AWS drops the event."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping

from botocore.exceptions import ClientError

from local.aws.arns import function_name, qualifier
from local.aws.server import AwsServer

Statement = Mapping[str, object]


class NotAllowedError(Exception):
    """The target's own policy lets nobody, or not this sender, deliver to it."""


def check_may_invoke(server: AwsServer, function: str, service: str, source_arn: str) -> None:
    """Raise NotAllowedError unless the function's policy lets `service` invoke it for `source_arn`.

    `function` is a name or an ARN; a version or alias in it has a policy of its own.
    """
    wanted = {"Qualifier": qualifier(function)} if qualifier(function) else {}
    try:
        policy = str(server.client("lambda").get_policy(FunctionName=function_name(function), **wanted)["Policy"])
        policy = _for(policy, qualifier(function))
    except ClientError as error:
        raise NotAllowedError(f"function {function}: {error}") from error
    _check(server, policy, "lambda:InvokeFunction", service, source_arn, f"function {function}")


def _for(policy: str, wanted: str) -> str:
    """The policy's statements for a version or alias, or for the function itself: moto has one policy for all."""
    document = json.loads(policy)
    listed = [each for each in document["Statement"] if qualifier(each["Resource"]).rpartition(":")[2] == wanted]
    return json.dumps({**document, "Statement": listed})


def check_may_send(server: AwsServer, queue_url: str, service: str, source_arn: str) -> None:
    """Raise NotAllowedError unless the queue's policy lets `service` send to it for `source_arn`."""
    try:
        answer = server.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["Policy"])
    except ClientError as error:
        raise NotAllowedError(f"queue {queue_url}: {error}") from error
    policy = str(answer.get("Attributes", {}).get("Policy", ""))
    _check(server, policy, "sqs:SendMessage", service, source_arn, f"queue {queue_url}")


def _check(server: AwsServer, policy: str, action: str, service: str, source_arn: str, target: str) -> None:
    facts = {"aws:sourcearn": source_arn, "aws:sourceaccount": server.account, "aws:securetransport": "true"}
    if not policy_allows(policy, action=action, service=service, facts=facts):
        raise NotAllowedError(f"the policy of {target} doesn't let {service} do {action} for {source_arn}")


def policy_allows(policy: str, *, action: str, service: str, facts: Mapping[str, str]) -> bool:
    """Whether a resource policy (JSON; empty allows nothing) allows `action` to an AWS service; a Deny wins.

    `facts` are the request's condition keys, in lower case.
    """
    effects = {
        str(statement.get("Effect"))
        for statement in _statements(policy)
        if _names_action(statement, action) and _names_service(statement, service) and _holds(statement, facts)
    }
    return effects == {"Allow"}


def _statements(policy: str) -> Iterator[Statement]:
    listed = json.loads(policy).get("Statement", []) if policy else []
    yield from listed if isinstance(listed, list) else [listed]


def _names_action(statement: Statement, action: str) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), name.lower()) for name in _listed(statement.get("Action")))


def _names_service(statement: Statement, service: str) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, Mapping):
        return service in _listed(principal.get("Service")) or "*" in _listed(principal.get("AWS"))
    return principal == "*"


def _holds(statement: Statement, facts: Mapping[str, str]) -> bool:
    """Whether every condition holds; one on a key that we don't know of doesn't."""
    conditions = statement.get("Condition") or {}
    if not isinstance(conditions, Mapping):
        return False
    return all(
        _compare(str(operator), facts.get(str(key).lower()), _listed(wanted))
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _compare(operator: str, fact: str | None, wanted: list[str]) -> bool:
    if fact is None:
        return False
    if operator in {"ArnLike", "ArnEquals", "StringLike"}:
        return any(fnmatch.fnmatchcase(fact, pattern) for pattern in wanted)
    if operator == "Bool":
        return fact in {value.lower() for value in wanted}
    return operator == "StringEquals" and fact in wanted


def _listed(value: object) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
