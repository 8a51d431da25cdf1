"""Lambda: functions run in processes of AWS's own runtime, called through the API, by events and by queues."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping, MutableMapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from moto.awslambda.exceptions import LambdaClientError, UnknownFunctionException

from local.aws.arns import function_name, qualifier
from local.aws.asynchronous import AWS_RETRY_DELAYS_S, AsyncInvocations
from local.aws.concurrency import Pool, ThrottledError
from local.aws.disturbance import Disturbance
from local.aws.emf import EmfReader
from local.aws.environments import Environment
from local.aws.forking import starter
from local.aws.function_logs import FunctionLogs
from local.aws.invocations import AsyncPolicy, FunctionSpec, Invocation, Outcome, failure
from local.aws.server import CREDENTIALS, AwsServer
from local.aws.timers import Timers

__all__ = ["AsyncPolicy", "FunctionService", "FunctionSpec", "Invocation", "Outcome", "ThrottledError"]

logger = logging.getLogger(__name__)

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_SYNC_PAYLOAD_BYTES = 6_291_556
MAX_ASYNC_PAYLOAD_BYTES = 256 * 1024


class FunctionService:
    """The account's functions, from `register` until `stop`."""

    def __init__(
        self,
        server: AwsServer,
        log_directory: Path,
        *,
        extra_env: Mapping[str, str] | None = None,
        disturbance: Disturbance | None = None,
        retry_delays_s: Sequence[float] = AWS_RETRY_DELAYS_S,
    ) -> None:
        """Answer Lambda's Invoke on `server`; `extra_env` is added to every function's environment."""
        self._server = server
        self._extra_env = dict(extra_env or {})
        self._logs = FunctionLogs(log_directory, EmfReader(server).read)
        self._starter = starter(self._logs.write)
        self._specs: dict[str, FunctionSpec] = {}
        self._pools: dict[str, Pool] = {}
        self._lock = threading.Lock()
        self._async = AsyncInvocations(server, self._run_patiently, disturbance or Disturbance(), retry_delays_s)
        self._timers = Timers("lambda-idle")
        self._timers.every(30.0, self._end_idle)
        server.backend("lambda").invoke = self._answer_invoke

    def register(self, spec: FunctionSpec) -> None:
        """Add a function, or replace it together with its warm environments."""
        with self._lock:
            before = self._pools.get(spec.name)
            self._starter.forget(spec.name)
            self._specs[spec.name] = spec
            self._pools[spec.name] = Pool(partial(self._start, spec), spec.reserved_concurrency)
        if before is not None:
            before.stop()

    def functions(self) -> tuple[FunctionSpec, ...]:
        """All that are registered."""
        with self._lock:
            return tuple(self._specs.values())

    def log_path(self, name: str) -> Path:
        """Where a function's output is kept."""
        return self._logs.path(name)

    def environment(self, environment_id: str) -> Environment | None:
        """The environment of that id while something runs in it."""
        with self._lock:
            pool = self._pools.get(environment_id.rpartition("-")[0])
        return next((one for one in pool.busy() if one.id == environment_id), None) if pool else None

    def invoke(self, function: str, payload: bytes) -> Outcome:
        """Run a function now and wait for its outcome. Raises ThrottledError; LookupError when it doesn't exist."""
        name = function_name(function)
        return self._run(name, Invocation(payload, self._spec(function).timeout_s), patient=False)

    def invoke_async(self, function: str, payload: bytes) -> str:
        """Take an event for a function and return the request's id. Raises LookupError when it doesn't exist."""
        return self._async.take(self._spec(function), payload)

    def stop(self) -> None:
        """End every environment and wait until none is left; may be called twice."""
        self._async.cancel()
        self._timers.stop()
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.stop()
        self._starter.stop()  # first: a call that waits for a process to be started waits no longer
        self._async.join()
        self._logs.close()

    def _spec(self, function: str) -> FunctionSpec:
        """The function; one that is called by a version or alias must have it."""
        name, wanted = function_name(function), qualifier(function)
        with self._lock:
            if name not in self._specs:
                raise LookupError(f"no function is named {name}")
            spec = self._specs[name]
        if wanted not in ("", "$LATEST", *spec.published):
            raise LookupError(f"function {name} has no version or alias {wanted}")
        return spec

    def _run_patiently(self, name: str, invocation: Invocation) -> Outcome:
        return self._run(name, invocation, patient=True)

    def _run(self, name: str, invocation: Invocation, *, patient: bool) -> Outcome:
        with self._lock:
            pool, version = self._pools[name], self._specs[name].version
        self._logs.note(name, f"START RequestId: {invocation.id} Version: {version}")
        began = time.monotonic()
        try:
            outcome = pool.run(invocation, patient=patient)
        except OSError as error:
            outcome = failure("Runtime.InvalidEntrypoint", str(error))
        if outcome.error:
            self._logs.note(name, f"ERROR RequestId: {invocation.id} {outcome.payload.decode(errors='replace')}")
        took_ms = (time.monotonic() - began) * 1000
        self._logs.note(name, f"REPORT RequestId: {invocation.id}\tDuration: {took_ms:.2f} ms")
        return outcome

    def _start(self, spec: FunctionSpec) -> Environment:
        arn = f"arn:aws:lambda:{self._server.region}:{self._server.account}:function:{spec.name}"
        return Environment(spec, arn, self._variables(spec), self._starter, partial(self._logs.write, spec.name))

    def _variables(self, spec: FunctionSpec) -> dict[str, str]:
        """The environment that AWS gives a function, the template's part of it, and where AWS is here."""
        version = spec.isolation.version if spec.isolation else f"{sys.version_info.major}.{sys.version_info.minor}"
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            **_import_path(spec),
            "LAMBDA_TASK_ROOT": str(spec.code_root),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if spec.starts_from_snapshot else "on-demand",
            "AWS_LAMBDA_FUNCTION_NAME": spec.name,
            "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "_HANDLER": spec.handler,
            "AWS_REGION": self._server.region,
            "AWS_DEFAULT_REGION": self._server.region,
            "AWS_ENDPOINT_URL": self._server.endpoint_url,
            **CREDENTIALS,
            **spec.environment,
            **self._extra_env,
        }

    def _end_idle(self) -> None:
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.end_idle(time.monotonic())

    def _answer_invoke(
        self,
        name: str,
        wanted: str | None,
        body: str | bytes,
        headers: Mapping[str, str],
        response_headers: MutableMapping[str, Any],
    ) -> bytes:
        """Answer the API's Invoke in moto's place."""
        function = f"{function_name(name)}:{wanted}" if wanted else name
        payload = body.encode() if isinstance(body, str) else bytes(body or b"")
        kind = headers.get("X-Amz-Invocation-Type") or "RequestResponse"
        try:
            version = self._spec(function).version
            _check_size(kind, payload)
            if kind != "RequestResponse":
                if kind == "Event":
                    self.invoke_async(function, payload)
                return b""
            outcome = self.invoke(function, payload)
        except LookupError as error:
            raise UnknownFunctionException(name) from error
        except ThrottledError as error:
            raise _RefusedError("TooManyRequestsException", str(error), 429) from error
        response_headers["x-amz-executed-version"] = version
        if outcome.error:
            response_headers["x-amz-function-error"] = outcome.error
        return outcome.payload


def _import_path(spec: FunctionSpec) -> dict[str, str]:
    """One that stands apart is given its folders on its command line: it reads no such variable."""
    if spec.isolation is not None:
        return {}
    return {"PYTHONPATH": os.pathsep.join(map(str, (spec.code_root, *spec.layers)))}


class _RefusedError(LambdaClientError):
    def __init__(self, error: str, message: str, status: int) -> None:
        self.code = status  # moto reads it while it builds the answer
        super().__init__(error, message)


def _check_size(kind: str, payload: bytes) -> None:
    limit = MAX_ASYNC_PAYLOAD_BYTES if kind == "Event" else MAX_SYNC_PAYLOAD_BYTES
    if len(payload) > limit:
        raise _RefusedError("RequestTooLargeException", f"{len(payload)} byte payload is too large", 413)
