"""Custom resources that a function of the stack makes: called and answered as CloudFormation does it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from local.aws.arns import function_name
from local.aws.creators.context import Stack
from local.aws.intrinsics import Physical
from local.aws.properties import Properties


def provided(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """Have the resource's function make it. Raises ValueError when it fails, LookupError when it isn't here."""
    values = properties.take_all()
    token = str(values.pop("ServiceToken", ""))
    with _Mailbox() as mailbox:
        event = {
            "RequestType": "Create",
            "RequestId": str(uuid.uuid4()),
            "ResponseURL": mailbox.url,
            "StackId": stack.arn("cloudformation", f"stack/{stack.name}/local"),
            "LogicalResourceId": logical_id,
            "ResourceType": properties.resource_type,
            "ResourceProperties": {"ServiceToken": token, **_as_text(values)},
        }
        outcome = stack.functions.invoke(function_name(token), json.dumps(event).encode())
        answer = mailbox.answer
    if outcome.error or answer is None:
        raise ValueError(f"its function gave no answer: {outcome.payload.decode(errors='replace')}")
    if answer.get("Status") != "SUCCESS":
        raise ValueError(f"its function says: {answer.get('Reason')}")
    return Physical(str(answer.get("PhysicalResourceId") or logical_id), dict(answer.get("Data") or {}))


class _Mailbox:
    """An address to which one answer is put."""

    def __init__(self) -> None:
        self.answer: Mapping[str, Any] | None = None
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.mailbox = self
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, name="custom-resource", daemon=True
        )
        self.url = f"http://127.0.0.1:{self._http.server_port}/"

    def __enter__(self) -> _Mailbox:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Server(HTTPServer):
    mailbox: _Mailbox


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_PUT(self) -> None:
        if self.headers.get("Content-Type"):  # the address is signed for an empty one
            self.send_error(403, "SignatureDoesNotMatch")
            return
        self.server.mailbox.answer = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        del format, args


def _as_text(value: Any) -> Any:
    """CloudFormation passes every scalar on as text."""
    if isinstance(value, Mapping):
        return {key: _as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_text(inner) for inner in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
