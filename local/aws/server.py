"""The emulated AWS APIs: one moto server in this process, and clients for it."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

# Read by moto when it is imported: loading the catalogue of public images costs the first EC2 call seconds.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

import boto3
from botocore.config import Config
from moto import backends
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from local.aws import answers, queries, transactions
from local.aws.obstacles import Obstacles
from local.aws.patching import Patches
from local.aws.serving import Listener, Transport

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ACCOUNT = "123456789012"
DEFAULT_REGION = "eu-central-1"

# Long on purpose: moto masks short credentials wherever they occur inside ids.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIALOCALCLOUDLOCALCLOUD",
    "AWS_SECRET_ACCESS_KEY": "local-cloud-secret-access-key-that-opens-nothing",
}

ATOMIC_SERVICES = frozenset({"dynamodb", "secretsmanager"})
"""Services whose conditional writes must be atomic; moto's check and write are two steps that threads can part.

Only services whose requests call no other service may stand here, or two requests could wait for each other.
"""

_SCOPE = re.compile(r"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/aws4_request")


class AwsServer:
    """AWS's APIs on one address, served from construction until `stop`.

    moto's state belongs to the process, so one server at a time; each starts with an empty account.
    """

    account = ACCOUNT

    def __init__(self, host: str = "127.0.0.1", port: int = 0, region: str = DEFAULT_REGION) -> None:
        """Serve on `host` and `port` (0 takes a free one).

        Raises OSError when the address can't be bound.
        """
        self.region = region
        self.host = host
        self._in_turn = OneAtATime(DomainDispatcherApplication(create_backend_app), ATOMIC_SERVICES)
        self.obstacles = Obstacles(self._in_turn)
        self._listeners: list[Listener] = []
        self._listen(host, port)
        self._patches = Patches()
        answers.install(self._patches)
        transactions.install(self._patches)
        queries.install(self._patches)
        moto_api_backend.reset()  # only now, or the state of a server that has the port would be gone
        self.port = self._listeners[0].port
        self._clients: dict[str, Any] = {}
        self._clients_lock = threading.Lock()
        self._session = boto3.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=region,
        )

    def listen_also(self, address: str) -> None:
        """Serve on another of the machine's addresses too, on the same port, such as a bridge's.

        Better than listening on all: nobody else on the network can then run commands on the instances.
        Raises OSError when it can't be bound.
        """
        self._listen(address, self.port)

    def _listen(self, host: str, port: int) -> None:
        self._listeners.append(Listener(host, port, self.obstacles))

    @property
    def endpoint_url(self) -> str:
        """Where programs on this machine reach it."""
        return self.endpoint_url_at(self.host)

    def endpoint_url_at(self, address: str) -> str:
        """Where it is reached through another of the machine's addresses, such as a bridge's."""
        return f"http://{address}:{self.port}"

    def client(self, service: str) -> Any:
        """A boto3 client for this server, made once a service; any thread may use it. It needs no connection."""
        with self._clients_lock:
            if service not in self._clients:
                client = self._session.client(  # type: ignore[call-overload]  # a name, not a literal
                    service, endpoint_url=self.endpoint_url, config=_CLIENT_CONFIG
                )
                client.meta.events.register("before-send", Transport(self.obstacles))
                self._clients[service] = client
            return self._clients[service]

    def backend(self, service: str) -> Any:
        """moto's own state of a service (its names: `events`, `lambda`, `sqs`, `autoscaling`, ...), to extend it."""
        regions = backends.get_backend(service)[self.account]  # type: ignore[call-overload]  # a name, not a literal
        return regions[self.region if self.region in regions else "global"]

    def alone(self, service: str) -> AbstractContextManager[object]:
        """Hold up the requests of one of ATOMIC_SERVICES, to read its backend at one moment."""
        return self._in_turn.lock(service)

    def unlisten(self) -> None:
        """Serve this process's clients alone."""
        while self._listeners:
            self._listeners.pop().stop()

    def stop(self) -> None:
        """Stop serving; may be called twice."""
        self.unlisten()
        self._patches.undo()
        with self._clients_lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class OneAtATime:
    """A WSGI application that handles the requests of each named service one after another."""

    def __init__(self, app: WSGIApplication, services: Iterable[str]) -> None:
        self._app = app
        self._locks = {service: threading.Lock() for service in services}

    def lock(self, service: str) -> threading.Lock:
        """What is held while a request of the service is handled."""
        return self._locks[service]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        lock = self._locks.get(signed_service(environ))
        if lock is None:
            return self._app(environ, start_response)
        with lock:
            return list(self._app(environ, start_response))


def signed_service(environ: WSGIEnvironment) -> str:
    """The service that the request's signature names; empty when it isn't signed."""
    found = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    return found.group(1) if found else ""


_CLIENT_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 4},
    s3={"addressing_style": "path"},
)
