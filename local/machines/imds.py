"""The instance metadata service, version 2 only: one server that tells nodes apart by their address.

Like on AWS every answer leaves with the instance's hop limit as its IP time to live, so with a limit of 1 it
reaches the node but is dropped before a container on the node's bridges.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local.machines import Instance

ACCOUNT = "123456789012"
TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path, not a secret
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
_MAX_TTL_S = 21600
_CREDENTIALS_LIFE = timedelta(hours=6)


class MetadataService:
    """Serves the metadata of the instances that were added, on a bound socket that it owns."""

    def __init__(self, bound: socket.socket, region: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.region = region
        self._clock = clock
        self._instances: dict[str, Instance] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._server = _Server(self, bound)
        self._thread = threading.Thread(target=self._server.serve_forever, name="vpc-metadata", daemon=True)
        self._thread.start()

    def add(self, instance: Instance) -> None:
        """Answer for this instance at its private address from now on."""
        with self._lock:
            self._instances[instance.private_ip] = instance

    def remove(self, instance: Instance) -> None:
        """Forget an instance and its tokens; harmless when its address is another's by now."""
        with self._lock:
            if self._instances.get(instance.private_ip) == instance:
                del self._instances[instance.private_ip]
            self._tokens = {token: known for token, known in self._tokens.items() if known[0] != instance.id}

    def close(self) -> None:
        """Stop serving; safe to repeat."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def instance_at(self, address: str) -> Instance | None:
        """The instance with this private address."""
        with self._lock:
            return self._instances.get(address)

    def new_token(self, instance: Instance, ttl_s: int) -> str:
        """A session token that the instance may use for ttl_s seconds."""
        token = secrets.token_urlsafe(42)
        with self._lock:
            self._tokens[token] = (instance.id, self._clock() + ttl_s)
        return token

    def accepts(self, instance: Instance, token: str | None) -> bool:
        """Whether the token is this instance's and hasn't expired."""
        with self._lock:
            owner, expires = self._tokens.get(token or "", ("", 0.0))
            return owner == instance.id and self._clock() < expires


def metadata_of(instance: Instance, region: str) -> Mapping[str, str]:
    """What the service knows of an instance: path below /latest/ -> text."""
    placement = {"availability-zone": instance.availability_zone or f"{region}a", "region": region}
    meta = {
        "instance-id": instance.id,
        "instance-type": instance.instance_type,
        "local-ipv4": instance.private_ip,
        "local-hostname": instance.id,
        "hostname": instance.id,
        **{f"placement/{key}": value for key, value in placement.items()},
        **_role_metadata(instance),
    }
    return {
        **{f"meta-data/{path}": text for path, text in meta.items()},
        "dynamic/instance-identity/document": _identity_document(instance, placement),
        **({"user-data": instance.user_data} if instance.user_data else {}),
    }


def answer(tree: Mapping[str, str], path: str) -> str | None:
    """The text at a path, or the listing of a folder as AWS gives it; None when there is neither."""
    path = path.strip("/")
    if path in tree:
        return tree[path]
    below = [known.removeprefix(f"{path}/") for known in tree if known.startswith(f"{path}/")]
    names = {name.split("/")[0] + ("/" if "/" in name else "") for name in below}
    return "\n".join(sorted(names)) or None


def _role_metadata(instance: Instance) -> dict[str, str]:
    if not instance.role_name:
        return {}
    now = datetime.now(UTC)
    stamp = "%Y-%m-%dT%H:%M:%SZ"
    profile = f"arn:aws:iam::{ACCOUNT}:instance-profile/{instance.role_name}"
    credentials = {
        "Code": "Success",
        "LastUpdated": now.strftime(stamp),
        "Type": "AWS-HMAC",
        "AccessKeyId": f"ASIA{instance.id.removeprefix('i-').upper():0>16.16}",
        "SecretAccessKey": f"secret-of-{instance.id}-that-nobody-checks",
        "Token": f"session-of-{instance.id}-that-nobody-checks",
        "Expiration": (now + _CREDENTIALS_LIFE).strftime(stamp),
    }
    return {
        "iam/info": json.dumps({"Code": "Success", "InstanceProfileArn": profile}),
        f"iam/security-credentials/{instance.role_name}": json.dumps(credentials),
    }


def _identity_document(instance: Instance, placement: Mapping[str, str]) -> str:
    document = {
        "accountId": ACCOUNT,
        "availabilityZone": placement["availability-zone"],
        "instanceId": instance.id,
        "instanceType": instance.instance_type,
        "privateIp": instance.private_ip,
        "region": placement["region"],
        "version": "2017-09-30",
    }
    return json.dumps(document)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, service: MetadataService, bound: socket.socket) -> None:
        self.service = service
        super().__init__(bound.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.server_activate()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a node that ends in mid-request is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "EC2ws"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 5

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def do_PUT(self) -> None:
        """Give a session token to a node that names its life time."""
        instance = self._caller()
        ttl = self.headers.get(TTL_HEADER, "")
        if instance is None or "X-Forwarded-For" in self.headers:
            self._reply(HTTPStatus.FORBIDDEN, "")
        elif self.path != TOKEN_PATH:
            self._reply(HTTPStatus.NOT_FOUND, "")
        elif not ttl.isdecimal() or not 1 <= int(ttl) <= _MAX_TTL_S:
            self._reply(HTTPStatus.BAD_REQUEST, "")
        else:
            self._reply(HTTPStatus.OK, self.server.service.new_token(instance, int(ttl)), {TTL_HEADER: ttl})

    def do_GET(self) -> None:
        """Answer a node that shows its token."""
        service = self.server.service
        instance = self._caller()
        if instance is None:
            return self._reply(HTTPStatus.FORBIDDEN, "")
        if not service.accepts(instance, self.headers.get(TOKEN_HEADER)):
            return self._reply(HTTPStatus.UNAUTHORIZED, "")
        tree = metadata_of(instance, service.region)
        text = answer(tree, self.path.removeprefix("/latest/")) if self.path.startswith("/latest/") else None
        return self._reply(HTTPStatus.NOT_FOUND, "") if text is None else self._reply(HTTPStatus.OK, text)

    def _caller(self) -> Instance | None:
        instance = self.server.service.instance_at(self.client_address[0])
        if instance is not None:
            self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, instance.hop_limit)
        return instance

    def _reply(self, status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None) -> None:
        body = text.encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            for name, value in {"Content-Type": "text/plain", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
