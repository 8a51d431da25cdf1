"""Lambda's asynchronous invocations: taken at once, run later, tried again when they fail, and then sent elsewhere."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from local.aws.concurrency import LOCAL_CONCURRENCY, ThrottledError
from local.aws.dead_letters import send
from local.aws.disturbance import Dice, Disturbance
from local.aws.invocations import FunctionSpec, Invocation, Outcome
from local.aws.server import AwsServer
from local.aws.timers import Timers

logger = logging.getLogger(__name__)

AWS_RETRY_DELAYS_S = (60.0, 120.0)
"""AWS waits a minute before the second attempt and two before the third."""

Run = Callable[[str, Invocation], Outcome]


@dataclass(frozen=True, slots=True)
class _Attempt:
    spec: FunctionSpec
    payload: bytes
    request_id: str
    taken_at: float
    number: int = 1


class AsyncInvocations:
    """Delivers every invocation at least once: rarely twice, and again after an error."""

    def __init__(self, server: AwsServer, run: Run, disturbance: Disturbance, retry_delays_s: Sequence[float]) -> None:
        """`run` runs one invocation of a function to its end; it waits while the function is at its limit."""
        self._server = server
        self._run = run
        self._dice = Dice(disturbance)
        self._retry_delays_s = retry_delays_s
        self._timers = Timers("lambda-async")
        self._workers: dict[str, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()
        self._stopping = False

    def take(self, spec: FunctionSpec, payload: bytes) -> str:
        """Take an invocation and return its request id; doesn't wait."""
        attempt = _Attempt(spec, payload, str(uuid.uuid4()), time.monotonic())
        for lag_s in self._dice.lags_s():
            self._timers.after(lag_s, partial(self._submit, attempt))
        return attempt.request_id

    def cancel(self) -> None:
        """Take no more, and drop what hasn't begun."""
        self._timers.stop()
        with self._lock:
            self._stopping = True
            for worker in self._workers.values():
                worker.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait for what was running at `cancel`."""
        for worker in self._workers.values():
            worker.shutdown(wait=True)

    def _submit(self, attempt: _Attempt) -> None:
        with self._lock:
            if not self._stopping:
                self._worker(attempt.spec).submit(self._try, attempt)

    def _worker(self, spec: FunctionSpec) -> ThreadPoolExecutor:
        """A function's own threads, so that a slow function holds up no other."""
        if spec.name not in self._workers:
            limit = LOCAL_CONCURRENCY if spec.reserved_concurrency is None else spec.reserved_concurrency
            self._workers[spec.name] = ThreadPoolExecutor(max(1, limit), f"async-{spec.name}")
        return self._workers[spec.name]

    def _try(self, attempt: _Attempt) -> None:
        try:
            invocation = Invocation(attempt.payload, attempt.spec.timeout_s, attempt.request_id)
            outcome = self._run(attempt.spec.name, invocation)
            self._settle(attempt, outcome)
        except (ThrottledError, LookupError):
            logger.info("invocation dropped: the function is gone", extra={"function": attempt.spec.name})
        except Exception:  # a worker's result is read by nobody
            logger.exception("asynchronous invocation failed", extra={"function": attempt.spec.name})

    def _settle(self, attempt: _Attempt, outcome: Outcome) -> None:
        """Decide what follows an attempt: nothing, another one, or the dead letters."""
        policy = attempt.spec.async_policy
        if self._stopping:
            return
        if outcome.succeeded:
            self._send_record(policy.on_success_arn, attempt, outcome, "Success")
            return
        delay_s = self._delay_s(attempt.number)
        age_s = time.monotonic() - attempt.taken_at + delay_s
        if attempt.number <= policy.max_retries and age_s <= policy.max_age_s:
            again = replace(attempt, number=attempt.number + 1)
            self._timers.after(delay_s, partial(self._submit, again))
            return
        condition = "RetriesExhausted" if attempt.number > policy.max_retries else "EventAgeExceeded"
        self._send_record(policy.on_failure_arn, attempt, outcome, condition)
        self._send_dead_letter(attempt, outcome)

    def _delay_s(self, attempt_number: int) -> float:
        delays = self._retry_delays_s
        return delays[min(attempt_number, len(delays)) - 1] if delays else 0.0

    def _send_dead_letter(self, attempt: _Attempt, outcome: Outcome) -> None:
        """The event itself, with the error in attributes, as AWS sends it."""
        message = str(json.loads(outcome.payload).get("errorMessage", ""))[:1024]
        attributes = {"RequestID": attempt.request_id, "ErrorCode": "200", "ErrorMessage": message}
        send(self._server, attempt.spec.dead_letter_arn, attempt.payload.decode(), attributes)

    def _send_record(self, arn: str, attempt: _Attempt, outcome: Outcome, condition: str) -> None:
        record = {
            "version": "1.0",
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "requestContext": {
                "requestId": attempt.request_id,
                "functionArn": f"{self._function_arn(attempt.spec.name)}:$LATEST",
                "condition": condition,
                "approximateInvokeCount": attempt.number,
            },
            "requestPayload": json.loads(attempt.payload or b"null"),
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"}
            | ({"functionError": outcome.error} if outcome.error else {}),
            "responsePayload": json.loads(outcome.payload or b"null"),
        }
        send(self._server, arn, json.dumps(record))

    def _function_arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self._server.region}:{self._server.account}:function:{name}"
