"""A client of RFC 6455 that is small enough to be read: binary messages of up to 64 KiB, each in one frame."""

from __future__ import annotations

import os
import socket
import struct
from types import TracebackType

BINARY, CLOSE, PING, PONG = 0x2, 0x8, 0x9, 0xA
MASKED, FINAL, LONG = 0x80, 0x80, 126


class Refused(Exception):
    """The other side did not agree to the upgrade; its answer's head."""


class WebSocket:
    """An open connection; raises Refused when the other side does not switch protocols."""

    def __init__(self, address: tuple[str, int], host: str, *, timeout_s: float = 10.0) -> None:
        self._socket = socket.create_connection(address, timeout=timeout_s)
        self._received = b""
        head = (
            "GET / HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", "",
        )  # fmt: skip
        self._socket.sendall("\r\n".join(head).encode())
        self._check(self._take_until(b"\r\n\r\n").decode())

    def _check(self, answer: str) -> None:
        # What the key of the RFC's own example must be answered with.
        if not answer.startswith("HTTP/1.1 101 ") or "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" not in answer:
            self._socket.close()
            raise Refused(answer)

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, payload: bytes, kind: int = BINARY) -> None:
        """One message; what a client sends is masked."""
        size = (
            struct.pack(">B", MASKED | len(payload))
            if len(payload) < LONG
            else struct.pack(">BH", MASKED | LONG, len(payload))
        )
        mask = os.urandom(4)
        body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._socket.sendall(struct.pack(">B", FINAL | kind) + size + mask + body)

    def receive(self) -> bytes:
        """The next message; empty when the other side closes. Pings are answered."""
        while True:
            kind, size = self._take(1)[0] & 0x0F, self._take(1)[0]
            if size == LONG:
                (size,) = struct.unpack(">H", self._take(2))
            payload = self._take(size)
            if kind == PING:
                self.send(payload, PONG)
            elif kind != PONG:
                return b"" if kind == CLOSE else payload

    def receive_until(self, wanted: bytes) -> bytes:
        """All that arrives up to the moment that it holds what is wanted, or the other side closes."""
        received = b""
        while wanted not in received and (more := self.receive()):
            received += more
        return received

    def _take(self, size: int) -> bytes:
        while len(self._received) < size:
            self._receive_more()
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def _take_until(self, end: bytes) -> bytes:
        while end not in self._received:
            self._receive_more()
        taken, _, self._received = self._received.partition(end)
        return taken

    def _receive_more(self) -> None:
        more = self._socket.recv(4096)
        if not more:
            raise ConnectionError("the other side has ended the connection")
        self._received += more
