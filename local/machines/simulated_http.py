"""As much of HTTP/1.1 as the Docker SDK and a CONNECT proxy need: messages with a Content-Length, kept connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit

LONGEST_BODY = 2**20
BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class BadMessage(ValueError):
    """What came is not a request that this server understands."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request; header names are lower-case, `target` is as it stands in the request line."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters, the last of equal names."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer in JSON, or as it is when `content` are bytes; `content` None means no body."""

    status: int
    content: object = None

    def encoded(self) -> bytes:
        if isinstance(self.content, bytes):
            kind, body = "application/vnd.docker.raw-stream", self.content
        else:
            kind, body = "application/json", b"" if self.content is None else json.dumps(self.content).encode()
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", f"Content-Type: {kind}"]
        if self.status not in BODILESS:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body


async def read_request(reader: asyncio.StreamReader) -> HttpRequest | None:
    """The next request of the connection, None when the peer has closed it. Raises BadMessage."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BadMessage("the connection ended inside a request") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise BadMessage("the request's head is too long") from error
    method, target, headers = _parsed_head(head.decode("latin-1"))
    return HttpRequest(method, target, headers, await _read_body(reader, headers))


def _parsed_head(head: str) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.rstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadMessage("the request line is malformed")
    pairs = (line.partition(":") for line in lines)
    return words[0], words[1], {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "transfer-encoding" in headers:
        raise BadMessage("only bodies with a Content-Length are understood")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > LONGEST_BODY:
        raise BadMessage("the Content-Length is malformed or too large")
    try:
        return await reader.readexactly(int(length))
    except asyncio.IncompleteReadError as error:
        raise BadMessage("the connection ended inside a request") from error
