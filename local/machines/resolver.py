"""The VPC's name server: knows no name and says so at once.

Without it an unknown name would cost a container seconds, as the engine asks a server that nobody answers for.
"""

from __future__ import annotations

import contextlib
import socket
import threading

_HEADER_BYTES = 12
_RESPONSE, _RECURSION_AVAILABLE = 0x80, 0x80
_NXDOMAIN = 3
_RECURSION_DESIRED = 0x01


class Resolver:
    """Answers every question on a bound UDP socket, which it owns, with NXDOMAIN until close()."""

    def __init__(self, bound: socket.socket) -> None:
        self._socket = bound
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="vpc-resolver", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering; safe to repeat."""
        if self._closing:
            return
        self._closing = True
        # Wakes the thread; an unconnected socket reports an error for it although it works.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._closing:
            try:
                query, sender = self._socket.recvfrom(4096)
                if answer := nxdomain(query):
                    self._socket.sendto(answer, sender)
            except OSError:  # the asker has gone, or we are closing
                continue


def nxdomain(query: bytes) -> bytes | None:
    """The answer "no such name" to a DNS query (RFC 1035, one question); None when it isn't a query."""
    if len(query) <= _HEADER_BYTES or query[2] & _RESPONSE or query[4:6] != b"\0\1":
        return None
    end = _HEADER_BYTES
    while end < len(query) and query[end]:
        end += query[end] + 1
    question = query[_HEADER_BYTES : end + 5]  # the root label's zero, type and class
    if len(query) < end + 5:
        return None
    flags = bytes((_RESPONSE | (query[2] & _RECURSION_DESIRED), _RECURSION_AVAILABLE | _NXDOMAIN))
    return query[:2] + flags + b"\0\1" + b"\0\0" * 3 + question
