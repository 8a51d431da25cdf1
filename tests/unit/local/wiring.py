"""What the tests of the local cloud's wiring share: an account with a function that keeps what it was called with."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local.aws.disturbance import UNDISTURBED
from local.aws.functions import AsyncPolicy, FunctionService, FunctionSpec
from local.aws.server import AwsServer

DEADLINE_S = 30.0
"""How long a test waits before it fails; a loaded machine starts a runtime slowly."""

HANDLER = """
import json, os, sys, time

def handler(event, context):
    with open(os.environ["CALLS"], "a") as calls:
        calls.write(json.dumps({"event": event, "request_id": context.aws_request_id, "pid": os.getpid()}) + "\\n")
    return act(event, context)

def fails(event, context):
    raise ValueError("always")

def act(event, context):
    do = event.get("do", "") if isinstance(event, dict) else ""
    if do == "raise":
        raise ValueError("asked to")
    if do == "exit":
        os._exit(3)
    if do == "hang":
        time.sleep(600)
    if do == "wait":
        while not os.path.exists(event["until"]):
            time.sleep(0.01)
    if do == "print":
        print(event["text"])
    if do == "environ":
        return dict(os.environ)
    if do == "remaining":
        return context.get_remaining_time_in_millis()
    return os.environ.get("ANSWER") and json.loads(os.environ["ANSWER"]) or event
"""


def wait_until(condition: Callable[[], object], timeout_s: float = DEADLINE_S) -> None:
    """Return once the condition holds; fails the test when it doesn't in time."""
    ends = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < ends, "not in time"
        pause.wait(0.01)


class Account:
    """A server and a Lambda service whose functions keep their calls in files."""

    def __init__(self, server: AwsServer, folder: Path, **service: Any) -> None:
        self.server = server
        self.folder = folder
        (folder / "tiny.py").write_text(HANDLER)
        defaults: dict[str, Any] = {"disturbance": UNDISTURBED, "retry_delays_s": (0.01, 0.01)}
        self.functions = FunctionService(server, folder / "logs", **(defaults | service))
        self._role = server.client("iam").create_role(
            RoleName="function", AssumeRolePolicyDocument=json.dumps({"Statement": []})
        )["Role"]["Arn"]

    def add(
        self,
        name: str = "f",
        *,
        answer: object = None,
        timeout_s: float = 30.0,
        reserved: int | None = None,
        handler: str = "tiny.handler",
        policy: AsyncPolicy | None = None,
        dead_letter_arn: str = "",
        published: Mapping[str, str] | None = None,
    ) -> str:
        """Make a function through the API and register it; returns its ARN."""
        environment = {"CALLS": str(self.folder / f"{name}.calls")}
        if answer is not None:
            environment["ANSWER"] = json.dumps(answer)
        made = self.server.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=self._role,
            Handler=handler,
            Timeout=int(timeout_s) or 1,
            Code={"ZipFile": empty_zip()},
        )
        spec = FunctionSpec(
            name=name,
            handler=handler,
            code_root=self.folder,
            environment=environment,
            timeout_s=timeout_s,
            reserved_concurrency=reserved,
            async_policy=policy or AsyncPolicy(),
            dead_letter_arn=dead_letter_arn,
            published=published or {},
        )
        self.functions.register(spec)
        return str(made["FunctionArn"])

    def allow(self, function: str, service: str, source_arn: str) -> None:
        """Let a service invoke a function."""
        self.server.client("lambda").add_permission(
            FunctionName=function,
            StatementId=f"{service.partition('.')[0]}-{len(source_arn)}",
            Action="lambda:InvokeFunction",
            Principal=service,
            SourceArn=source_arn,
        )

    def queue(self, name: str, *, open_to: str = "", **attributes: str) -> tuple[str, str]:
        """Make a queue, which a service may send to, and return its URL and its ARN."""
        sqs = self.server.client("sqs")
        arn = f"arn:aws:sqs:{self.server.region}:{self.server.account}:{name}"
        if open_to:
            attributes["Policy"] = json.dumps({"Statement": _statement(open_to, arn)})
        return str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]), arn

    def bodies(self, queue_url: str) -> list[str]:
        """Receive and delete what is in a queue now."""
        sqs = self.server.client("sqs")
        messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [str(message["Body"]) for message in messages]

    def wait_for_bodies(self, queue_url: str, count: int = 1) -> list[str]:
        """Wait until a queue has given so many messages."""
        got: list[str] = []

        def enough() -> bool:
            got.extend(self.bodies(queue_url))
            return len(got) >= count

        wait_until(enough)
        return got

    def calls(self, name: str = "f") -> list[dict[str, Any]]:
        """What a function was called with, oldest first."""
        path = self.folder / f"{name}.calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for_calls(self, count: int, name: str = "f") -> list[dict[str, Any]]:
        """Wait until a function has been called so often."""
        wait_until(lambda: len(self.calls(name)) >= count)
        return self.calls(name)

    def stop(self) -> None:
        self.functions.stop()


def empty_zip() -> bytes:
    """A zip file that holds one small file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme", "code comes from the source tree")
    return buffer.getvalue()


def _statement(service: str, arn: str) -> dict[str, object]:
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sqs:SendMessage", "Resource": arn}
