"""What each function asks of AWS's APIs, by the names that its policy would have to grant."""

from __future__ import annotations

import fnmatch
import io
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from local.aws.obstacles import Call, Refused, call_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from local.aws.server import AwsServer

PREFIXES = {"monitoring": "cloudwatch"}
"""Where a service signs under another name than its actions have."""
TRANSACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
"""DynamoDB's transactions are granted by what they do to items.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
"""
_NUMBERED = re.compile(r"-\d+$")
INSTANCE = "instance"
_NAMED_BY = {"secretsmanager": "SecretId", "sqs": "QueueUrl", "ssm": "Name"}
"""Which field of a request names what a policy grants the action on; DynamoDB's stand deeper."""

Asked = Mapping[str, frozenset[str]]
"""By the function's name: actions, each with the name of what it was asked of where the request tells it, such as
`dynamodb:GetItem demo-state`, `dynamodb:Query demo-state/index/by_kind` or `ec2:DescribeInstances`.
"""


class Grants:
    """Stands before AWS's APIs: notes what each function asks for, and refuses what its role's policies don't grant.

    Actions only: for which resources, and under which conditions, is not looked at.
    """

    def __init__(self, server: AwsServer) -> None:
        self._server = server
        self._asked: dict[str, set[str]] = {}
        self._granted: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def before(self, app: WSGIApplication) -> WSGIApplication:
        """An application that carries out by `app` what is granted."""

        def granting(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            call = call_of(environ)
            if call is None:
                return app(environ, start_response)
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            function = _NUMBERED.sub("", call.caller)
            operation = operation_of(environ.get("HTTP_X_AMZ_TARGET", ""), body)
            for action, thing in asked_for(call.service, operation, body):
                if not self._grants(function, action, thing):
                    return _refusal(function, action, call).answer(call, start_response)
            return app(environ, start_response)

        return granting

    def asked(self) -> Asked:
        """All that was asked for so far, refused or not."""
        with self._lock:
            return {function: frozenset(actions) for function, actions in self._asked.items()}

    def _grants(self, function: str, action: str, thing: str) -> bool:
        with self._lock:
            self._asked.setdefault(function, set()).add(f"{action} {thing}".strip())
            if not self._may(function, action):  # a policy may have come since
                self._granted[function] = tuple(self._read(function))
            return self._may(function, action)

    def _may(self, function: str, action: str) -> bool:
        return any(fnmatch.fnmatchcase(action.lower(), each) for each in self._granted.get(function, ()))

    def _read(self, function: str) -> Iterator[str]:
        """The actions, in small letters, that the policies inside the function's role grant."""
        role = str(self._server.backend("lambda").get_function(function).role).rpartition("/")[2]
        iam = self._server.backend("iam")
        for name in iam.list_role_policies(role):
            for statement in json.loads(iam.get_role_policy(role, name)[1])["Statement"]:
                if statement["Effect"] == "Allow":
                    actions = statement["Action"]
                    yield from (each.lower() for each in ([actions] if isinstance(actions, str) else actions))


def _refusal(function: str, action: str, call: Call) -> Refused:
    code, status = ("AccessDeniedException", 400) if call.speaks_json else ("AccessDenied", 403)
    return Refused(status, code, f"{function} is not authorized to perform: {action}, no policy allows it")


def operation_of(target: str, body: bytes) -> str:
    """The operation that a request names: in its target's header, or in its form's `Action`."""
    if target:
        return target.rpartition(".")[2]
    return parse_qs(body.decode(errors="replace")).get("Action", ["?"])[0]


def asked_for(service: str, operation: str, body: bytes) -> Iterator[tuple[str, str]]:
    """What a policy must grant for one request: actions, each with the name of its resource or ""."""
    prefix = PREFIXES.get(service, service)
    if prefix == "dynamodb":
        yield from ((f"{prefix}:{action}", thing) for action, thing in _of_tables(operation, json.loads(body)))
        return
    named = json.loads(body) if prefix in _NAMED_BY else {}
    if "DocumentName" in named:  # granted on the document, and on the instances that it runs on
        yield f"{prefix}:{operation}", str(named["DocumentName"])
        yield f"{prefix}:{operation}", INSTANCE
        return
    thing = str(named.get(_NAMED_BY.get(prefix, ""), ""))
    yield f"{prefix}:{operation}", thing.rpartition("/")[2] if prefix == "sqs" else thing


def _of_tables(operation: str, asked: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if operation.startswith("Transact"):
        for item in asked["TransactItems"]:
            yield from ((TRANSACTIONS[kind], str(part["TableName"])) for kind, part in item.items())
        return
    if operation.startswith("Batch"):
        yield from ((operation, table) for table in asked["RequestItems"])
        return
    index = f"/index/{asked['IndexName']}" if "IndexName" in asked else ""
    yield operation, f"{asked.get('TableName', '')}{index}"
