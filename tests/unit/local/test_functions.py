"""Functions run in processes of the real runtime, and end as they end on AWS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.aws.disturbance import Disturbance
from local.aws.functions import AsyncPolicy
from local.aws.invocations import Invocation, Outcome
from local.aws.server import AwsServer
from tests.unit.local.wiring import Account, wait_until


def invoke(account: Account, event: object, name: str = "f", kind: str = "RequestResponse") -> tuple[object, str]:
    """What the API's Invoke answers: the payload, and the function error."""
    answer = account.server.client("lambda").invoke(
        FunctionName=name, InvocationType=kind, Payload=json.dumps(event).encode()
    )
    body = answer["Payload"].read()
    return json.loads(body) if body else None, str(answer.get("FunctionError", ""))


def test_a_function_answers_and_its_environment_is_used_again(account: Account) -> None:
    account.add()
    assert invoke(account, {"number": 1}) == ({"number": 1}, "")
    assert invoke(account, {"number": 2}) == ({"number": 2}, "")
    first, second = account.calls()
    assert first["pid"] == second["pid"]
    assert first["request_id"] != second["request_id"]


def test_a_function_is_found_by_its_arn_and_an_alias(account: Account) -> None:
    arn = account.add()
    assert invoke(account, {}, name=arn) == ({}, "")


def test_the_environment_is_the_templates_and_what_aws_adds(account: Account) -> None:
    account.add()
    environ, _ = invoke(account, {"do": "environ"})
    assert isinstance(environ, dict)
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert environ["AWS_REGION"] == account.server.region
    assert environ["AWS_ENDPOINT_URL"] == account.server.endpoint_url
    assert environ["CALLS"].endswith("f.calls")
    assert "HOME" not in environ


def test_the_handler_knows_how_much_time_is_left(account: Account) -> None:
    account.add(timeout_s=30)
    left, _ = invoke(account, {"do": "remaining"})
    assert isinstance(left, int)
    assert 0 < left <= 30_000


def test_an_exception_in_the_handler_is_a_function_error_and_spares_the_environment(account: Account) -> None:
    account.add()
    payload, error = invoke(account, {"do": "raise"})
    assert error == "Unhandled"
    assert isinstance(payload, dict)
    assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "asked to")
    invoke(account, {})
    assert len({call["pid"] for call in account.calls()}) == 1


def test_a_time_out_kills_the_environment(account: Account) -> None:
    account.add(timeout_s=0.3)
    payload, error = invoke(account, {"do": "hang"})
    assert error == "Unhandled"
    assert isinstance(payload, dict)
    assert "Task timed out after 0.30 seconds" in str(payload["errorMessage"])
    assert not alive(account.calls()[0]["pid"])


def test_a_runtime_that_exits_is_an_error_and_is_replaced(account: Account) -> None:
    account.add()
    payload, error = invoke(account, {"do": "exit"})
    assert error == "Unhandled"
    assert isinstance(payload, dict)
    assert payload["errorType"] == "Runtime.ExitError"
    assert invoke(account, {"again": True}) == ({"again": True}, "")


def test_a_handler_that_cannot_be_imported_is_an_error(account: Account) -> None:
    account.add(handler="absent.handler")
    payload, error = invoke(account, {})
    assert error == "Unhandled"
    assert isinstance(payload, dict)
    assert payload["errorType"] == "Runtime.ImportModuleError"


def test_an_unknown_function_is_not_found(account: Account) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        invoke(account, {}, name="nobody")


def test_calls_beyond_the_reserved_concurrency_are_throttled(account: Account, tmp_path: Path) -> None:
    account.add(reserved=1)
    release = tmp_path / "release"
    with ThreadPoolExecutor(1) as caller:
        first = caller.submit(account.functions.invoke, "f", wait_event(release))
        account.wait_for_calls(1)
        client = fresh_client(account.server)
        with pytest.raises(ClientError, match="TooManyRequestsException") as refused:
            client.invoke(FunctionName="f", Payload=b"{}")
        client.close()
        release.touch()
        assert first.result().succeeded
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_asynchronous_calls_wait_for_reserved_concurrency(account: Account, tmp_path: Path) -> None:
    account.add(reserved=1)
    release = tmp_path / "release"
    account.functions.invoke_async("f", wait_event(release))
    account.wait_for_calls(1)
    account.functions.invoke_async("f", b'{"second": true}')
    release.touch()
    assert account.wait_for_calls(2)[1]["event"] == {"second": True}


def test_calls_at_once_run_in_environments_of_their_own(account: Account, tmp_path: Path) -> None:
    account.add()
    release = tmp_path / "release"
    with ThreadPoolExecutor(2) as callers:
        running = [callers.submit(account.functions.invoke, "f", wait_event(release)) for _ in range(2)]
        pids = {call["pid"] for call in account.wait_for_calls(2)}
        release.touch()
        assert all(call.result().succeeded for call in running)
    assert len(pids) == 2


def test_an_event_invocation_is_taken_at_once_and_run_later(account: Account) -> None:
    account.add()
    assert invoke(account, {"number": 7}, kind="Event") == (None, "")
    assert account.wait_for_calls(1)[0]["event"] == {"number": 7}


def test_a_failing_event_is_tried_three_times_with_one_request_id_then_goes_to_the_dead_letters(
    account: Account,
) -> None:
    url, arn = account.queue("dead")
    account.add(dead_letter_arn=arn)
    account.functions.invoke_async("f", b'{"do": "raise"}')
    body = account.wait_for_bodies(url)
    assert [json.loads(one) for one in body] == [{"do": "raise"}]
    assert len(account.calls()) == 3
    assert len({call["request_id"] for call in account.calls()}) == 1


def test_the_failure_destination_gets_a_record_of_the_last_attempt(account: Account) -> None:
    url, arn = account.queue("failed")
    account.add(policy=AsyncPolicy(max_retries=0, on_failure_arn=arn))
    request_id = account.functions.invoke_async("f", b'{"do": "raise"}')
    record = json.loads(account.wait_for_bodies(url)[0])
    assert record["requestContext"]["requestId"] == request_id
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["requestPayload"] == {"do": "raise"}
    assert record["responsePayload"]["errorType"] == "ValueError"


def test_an_event_may_be_delivered_twice(server: AwsServer, tmp_path: Path) -> None:
    account = Account(server, tmp_path, disturbance=Disturbance(lag_s=(0, 0.01), duplicate_share=1.0, seed=1))
    try:
        account.add()
        account.functions.invoke_async("f", b"{}")
        assert len({call["request_id"] for call in account.wait_for_calls(2)}) == 1
    finally:
        account.stop()


def test_an_event_that_is_too_large_is_refused(account: Account) -> None:
    account.add()
    with pytest.raises(ClientError, match="RequestTooLargeException"):
        invoke(account, {"text": "x" * 300_000}, kind="Event")


def test_what_a_function_prints_is_kept_and_its_metrics_are_put(account: Account) -> None:
    account.add()
    metric = {
        "_aws": {
            "Timestamp": 1_700_000_000_000,
            "CloudWatchMetrics": [{"Namespace": "N", "Dimensions": [[]], "Metrics": [{"Name": "M"}]}],
        },
        "M": 4,
    }
    invoke(account, {"do": "print", "text": "a plain line"})
    invoke(account, {"do": "print", "text": json.dumps(metric)})
    cloudwatch = account.server.client("cloudwatch")
    wait_until(lambda: cloudwatch.list_metrics(Namespace="N")["Metrics"])
    assert "a plain line" in account.functions.log_path("f").read_text()


def test_registering_again_replaces_the_environments(account: Account) -> None:
    account.add()
    invoke(account, {})
    (spec,) = account.functions.functions()
    account.functions.register(spec)
    invoke(account, {})
    first, second = account.calls()
    assert first["pid"] != second["pid"]
    wait_until(lambda: not alive(first["pid"]))


def test_stopping_ends_the_environments_and_what_runs_in_them(account: Account) -> None:
    account.add()
    with ThreadPoolExecutor(1) as caller:
        running = caller.submit(account.functions.invoke, "f", b'{"do": "hang"}')
        pid = account.wait_for_calls(1)[0]["pid"]
        account.functions.stop()
        assert running.result().error == "Unhandled"
    assert not alive(pid)


def test_a_runtime_dies_with_the_local_cloud(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("needs a parent-death signal")
    program = textwrap.dedent(
        f"""
        from pathlib import Path
        from local.aws.server import AwsServer
        from tests.unit.local.wiring import Account
        account = Account(AwsServer(), Path({str(tmp_path)!r}))
        account.add()
        account.functions.invoke("f", b"{{}}")
        print(account.calls()[0]["pid"], flush=True)
        input()
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid))


def test_only_the_first_outcome_of_an_invocation_counts() -> None:
    invocation = Invocation(b"{}", 1.0)
    invocation.finish(Outcome(b"1"))
    invocation.finish(Outcome(b"2", "Unhandled"))
    assert invocation.wait() == Outcome(b"1")


def wait_event(release: Path) -> bytes:
    return json.dumps({"do": "wait", "until": str(release)}).encode()


def fresh_client(server: AwsServer) -> Any:
    """A client that doesn't try again, which would hide a throttled call."""
    return boto3.client(
        "lambda",
        endpoint_url=server.endpoint_url,
        region_name=server.region,
        aws_access_key_id="AKIALOCALCLOUDLOCALCLOUD",
        aws_secret_access_key="local-cloud-secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended but isn't reaped doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False
