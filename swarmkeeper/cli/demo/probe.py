"""Asks containers by name through a node's router, and engines without the fleet's certificate."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

ENGINE_PORT = 2376
TIMEOUT_S = 3.0
PERIOD_S = 0.1
SHOWN = 100
"""Characters of an answer that are shown."""


@dataclass(frozen=True, slots=True)
class Route:
    """A way to containers: one node's router and the fleet's domain."""

    node: str
    address: str
    port: int
    domain: str

    def get(self, name: str, *, timeout_s: float = TIMEOUT_S) -> tuple[int, str]:
        """Status and body of GET / to the container of that name; status 0 and the reason when nobody answers."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=timeout_s)
        try:
            connection.request("GET", "/", headers={"Host": f"{name}.{self.domain}"})
            response = connection.getresponse()
            return response.status, response.read(65_536).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    def answers(self, name: str) -> bool:
        """Whether the container itself answers."""
        return not self.said_instead(name)

    def said_instead(self, name: str) -> str:
        """Empty when the container itself answers: its body must hold its own name. Else status and first line."""
        status, body = self.get(name)
        if status == http.client.OK and name in body:
            return ""
        first_line = body.partition("\n")[0]
        return f"{status} {first_line[:SHOWN]}"


def wait_for_answers(routes: Iterable[Route], names: Iterable[str], *, limit_s: float) -> dict[str, dict[str, str]]:
    """The names that never answered within the limit, each with what was said last, by the node whose router was asked.

    Empty when all did.
    """
    missing = {route: dict.fromkeys(sorted(names), "") for route in routes}
    deadline = time.monotonic() + limit_s
    with ThreadPoolExecutor(8) as pool:
        while any(missing.values()):
            asked = [(route, name) for route, left in missing.items() for name in left]
            said = list(pool.map(lambda pair: pair[0].said_instead(pair[1]), asked))
            missing = {route: {} for route in missing}
            for (route, name), instead in zip(asked, said, strict=True):
                if instead:
                    missing[route][name] = instead
            if time.monotonic() > deadline:
                break
            if any(missing.values()):
                time.sleep(PERIOD_S)
    return {route.node: left for route, left in missing.items() if left}


class SilenceMeter:
    """Asks some containers ten times a second and keeps each one's longest time between two answers.

    Any of the routers may answer, for one of them may belong to the node that leaves. A question that is answered
    late counts like one that is not answered: from the answer before it to the one after it.
    """

    def __init__(self, routes: Sequence[Route], names: Iterable[str]) -> None:
        self.longest_s: dict[str, float] = dict.fromkeys(names, 0.0)
        self._routes = tuple(routes)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(name,), name=f"silence-{name}", daemon=True)
            for name in self.longest_s
        ]

    def __enter__(self) -> SilenceMeter:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, name: str) -> None:
        answered_at = time.monotonic()
        while not self._stop.is_set():
            if any(route.answers(name) for route in self._routes):
                self._note(name, answered_at)
                answered_at = time.monotonic()
            self._stop.wait(PERIOD_S)
        self._note(name, answered_at)

    def _note(self, name: str, answered_at: float) -> None:
        self.longest_s[name] = max(self.longest_s[name], time.monotonic() - answered_at)


def refuses_strangers(address: str, *, through: tuple[str, int] | None = None) -> tuple[bool, str]:
    """Whether the engine API refuses a client without a certificate, and plain HTTP; the second value says how.

    through: an HTTP proxy (host and port) where the address can't be reached directly.
    """
    plain = _plain_answer(address, through).split(b"\r\n", 1)[0]
    # A TLS server tells a plain client so with a 400, or says nothing.
    if plain and b" 400 " not in plain:
        return False, f"answered plain HTTP: {plain[:40]!r}"
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the question is whether it takes us, not who it is
    try:
        with _connect(address, through) as raw, context.wrap_socket(raw) as tls:
            tls.sendall(b"GET /version HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
            answer = tls.recv(4096)
    except ssl.SSLError as error:
        return True, f"TLS: {error.reason}"
    except ConnectionResetError:
        return True, "TLS: connection reset"
    except OSError as error:
        return False, f"could not be asked: {error}"
    return (not answer), ("closed without an answer" if not answer else f"answered {answer[:40]!r}")


def _plain_answer(address: str, through: tuple[str, int] | None) -> bytes:
    try:
        with _connect(address, through) as raw:
            raw.sendall(b"GET /version HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
            return raw.recv(4096)
    except OSError:
        return b""


def _connect(address: str, through: tuple[str, int] | None) -> socket.socket:
    if through is None:
        return socket.create_connection((address, ENGINE_PORT), timeout=TIMEOUT_S)
    raw = socket.create_connection(through, timeout=TIMEOUT_S)
    raw.sendall(f"CONNECT {address}:{ENGINE_PORT} HTTP/1.1\r\nHost: {address}:{ENGINE_PORT}\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer and (part := raw.recv(1024)):
        answer += part
    if b" 200 " not in answer.split(b"\r\n", 1)[0]:
        raw.close()
        raise ConnectionError(f"the proxy said {answer[:60]!r}")
    return raw
