"""The VPC's name server: knows the load balancers that are served in the VPC, and of all other names that they aren't.

Without it an unknown name would cost a container seconds, as the engine asks a server that nobody answers for.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Mapping

_HEADER_BYTES = 12
_RESPONSE, _RECURSION_AVAILABLE = 0x80, 0x80
_NXDOMAIN = 3
_RECURSION_DESIRED = 0x01
_ADDRESS, _INTERNET = b"\0\1", b"\0\1"
_QUESTION = b"\xc0\x0c"
"""Stands for the name that was asked for: a pointer to where the question is."""
_ALIVE_S = 60
"""How long an answer counts, as for load balancers on AWS."""


class Resolver:
    """Answers every question on a bound UDP socket, which it owns, until close()."""

    def __init__(self, bound: socket.socket) -> None:
        self._socket = bound
        self._addresses: dict[str, str] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="vpc-resolver", daemon=True)
        self._thread.start()

    def add(self, name: str, address: str) -> None:
        """Answer for this name from now on; case doesn't matter."""
        self._addresses = {**self._addresses, name.lower(): address}

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
                if answer := answer_to(query, self._addresses):
                    self._socket.sendto(answer, sender)
            except OSError:  # the asker has gone, or we are closing
                continue


def answer_to(query: bytes, addresses: Mapping[str, str]) -> bytes | None:
    """The answer to a DNS query (RFC 1035, one question): an address, that there is none of that kind, or no such name.

    None when it isn't a query. `addresses` are IPv4 by name, in small letters.
    """
    if len(query) <= _HEADER_BYTES or query[2] & _RESPONSE or query[4:6] != b"\0\1":
        return None
    labels: list[bytes] = []
    end = _HEADER_BYTES
    while end < len(query) and query[end]:
        labels.append(query[end + 1 : end + 1 + query[end]])
        end += query[end] + 1
    question = query[_HEADER_BYTES : end + 5]  # the root label's zero, type and class
    if len(query) < end + 5:
        return None
    name = b".".join(labels).decode("ascii", "replace").lower()
    address = addresses.get(name) if question[-4:] == _ADDRESS + _INTERNET else None
    flags = bytes(
        (
            _RESPONSE | (query[2] & _RECURSION_DESIRED),
            _RECURSION_AVAILABLE | (0 if name in addresses else _NXDOMAIN),
        )
    )
    found = b"" if address is None else _record(address)
    return query[:2] + flags + b"\0\1" + bytes((0, len(found) > 0)) + b"\0\0" * 2 + question + found


def _record(address: str) -> bytes:
    """The record of an address for the name that was asked for."""
    packed = ipaddress.IPv4Address(address).packed
    return _QUESTION + _ADDRESS + _INTERNET + _ALIVE_S.to_bytes(4, "big") + len(packed).to_bytes(2, "big") + packed
