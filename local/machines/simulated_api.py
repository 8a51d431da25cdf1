"""A simulated engine's API behind the gateway: versions, routes, faults."""

from __future__ import annotations

import asyncio
import re
import ssl
from http import HTTPStatus
from threading import RLock

from local.machines.simulated_calls import API_VERSION, OPERATIONS, Call, Operation
from local.machines.simulated_container import bad_request
from local.machines.simulated_engine import SimulatedEngine
from local.machines.simulated_http import HttpRequest, HttpResponse
from local.machines.simulated_network import Refusal

VERSIONED = re.compile(r"/v(\d+)\.(\d+)(/.*)")


class EngineEndpoint:
    """The engine's API behind the gateway; every call is done under the machines' lock."""

    def __init__(self, engine: SimulatedEngine, lock: RLock) -> None:
        self._engine = engine
        self._lock = lock

    @property
    def tls(self) -> ssl.SSLContext:
        if self._engine.tls is None:
            raise ConnectionRefusedError(f"{self._engine.host_name} doesn't listen")
        return self._engine.tls

    async def answer(self, request: HttpRequest) -> HttpResponse:
        try:
            operation, call = _route(self._engine, request)
        except Refusal as refusal:
            return _refused(refusal)
        self._check_alive()
        if (delay_s := self._engine.faults.latency(operation.name)) > 0:
            await asyncio.sleep(delay_s)
            self._check_alive()
        with self._lock:
            response = _done(operation, call)
        if self._engine.faults.loses_answer(operation.name):
            raise ConnectionAbortedError(f"{self._engine.host_name} has done it and breaks off")
        return response

    def _check_alive(self) -> None:
        if self._engine.gone or self._engine.faults.unreachable:
            raise ConnectionAbortedError(f"{self._engine.host_name} doesn't answer")


def _done(operation: Operation, call: Call) -> HttpResponse:
    try:
        if refusal := call.engine.faults.refusal(operation.name):
            raise refusal
        return operation.handle(call)
    except Refusal as refusal:
        return _refused(refusal)


def _refused(refusal: Refusal) -> HttpResponse:
    return HttpResponse(refusal.status, {"message": refusal.message})


def _route(engine: SimulatedEngine, request: HttpRequest) -> tuple[Operation, Call]:
    """The operation that the request asks for. Raises Refusal for an unknown path or too new a version."""
    path = _unversioned(request.path)
    for operation in OPERATIONS:
        if operation.method == request.method and (match := re.fullmatch(operation.pattern, path)):
            return operation, Call(engine, request, "".join(match.groups()))
    raise Refusal(HTTPStatus.NOT_FOUND, "page not found")


def _unversioned(path: str) -> str:
    match = VERSIONED.fullmatch(path)
    if match is None:
        return path
    asked = int(match[1]), int(match[2])
    if asked > API_VERSION:
        raise bad_request(
            f"client version {asked[0]}.{asked[1]} is too new. "
            f"Maximum supported API version is {API_VERSION[0]}.{API_VERSION[1]}"
        )
    return match[3]
