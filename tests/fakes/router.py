"""The nodes' router as it is: Nginx with the rendered configuration, on loopback, with a DNS of the test's own."""

from __future__ import annotations

import getpass
import http.client
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2] / "compose" / "node"
DOMAIN = "fleet.example"
BODY_LIMIT = 2**20
BALANCER = "127.0.0.1"
"""The one address that the router under test takes for the load balancer's."""
STRANGER = "127.0.0.2"
VPC = "127.0.0.9"
"""The load balancer of nodes that hand on to each other, whose routers are at the addresses before."""
OVERLAY = "127.0.0.64/26"
"""Where tenants' containers have their addresses."""
READY_LIMIT_S = 10.0
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
NO_ERROR, NO_SUCH_NAME = 0x8180, 0x8183


def _ports() -> Iterator[int]:
    side_by_side = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    own = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = range(20_000 + own, 32_000, side_by_side)
    return iter(random.sample(ports, len(ports)))


_PORTS = _ports()


class Names:
    """A DNS like the engine's: addresses by name, "no such name" for others, and no answer for those it is told of."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self.silent: set[str] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((BALANCER, 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        # A question of nobody's wakes the thread; closing alone would not.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (BALANCER, self.port))

    def _serve(self) -> None:
        with self._socket:
            while True:
                question, asking = self._socket.recvfrom(512)
                if not question:
                    return
                name = question[13 : 13 + question[12]].decode()
                if name not in self.silent:
                    self._socket.sendto(self._answer(question, self.addresses.get(name)), asking)

    def _answer(self, question: bytes, address: str | None) -> bytes:
        asked = question[12 : 12 + question[12] + 2 + 4]
        head = question[:2] + struct.pack(">HHHHH", NO_ERROR if address else NO_SUCH_NAME, 1, bool(address), 0, 0)
        # Ten minutes, as Docker's has it: the router must not believe it.
        found = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 600, 4) + socket.inet_aton(address) if address else b""
        return head + asked + found


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: str
    headers: http.client.HTTPMessage


@dataclass(slots=True)
class Router:
    """A running router; `names` says where containers are."""

    port: int
    folder: Path
    names: Names
    process: subprocess.Popen[bytes] = field(repr=False)
    host: str = BALANCER

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def ask(
        self, host: str, path: str = "/", *, method: str = "GET", body: bytes | None = None, source: str = BALANCER,
        **headers: str,
    ) -> Answer:  # fmt: skip
        """One request, to `<host>.fleet.example` where the host has no dot; headers' underscores are hyphens."""
        connection = http.client.HTTPConnection(*self.address, timeout=10, source_address=(source, 0))
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {"Host": full(host), **named})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(), answer.headers)
        finally:
            connection.close()

    def log(self) -> list[dict[str, Any]]:
        """The access log's lines, in no order, since each of two workers writes its own; it ends the router, or some
        would not be written yet."""
        self.stop()
        return [json.loads(line) for line in (self.folder / "stdout").read_text("utf-8").splitlines()]

    def errors(self) -> str:
        return (self.folder / "stderr").read_text("utf-8")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(READY_LIMIT_S)


def full(host: str) -> str:
    return host if "." in host else f"{host}.{DOMAIN}"


@contextmanager
def running_router(folder: Path, **settings: str) -> Iterator[Router]:
    """A router while the block runs; settings are those of render.sh."""
    names, port = Names(), free_port()
    _render(folder, "nginx.conf", settings, {"127.0.0.11": f"{BALANCER}:{names.port}", "listen 8080": f"listen {port}"})
    router = Router(port, folder, names, _nginx(folder, "nginx.conf", ""))
    with _running(router):
        yield router


@contextmanager
def running_node(folder: Path, node: str, host: str, door: int, locator: int) -> Iterator[Router]:
    """The router and the finder of a node where tenants have networks of their own, on a loopback address.

    `door` is the port at which routers hand on to each other, `locator` that of whom the finder asks.
    """
    names, port = Names(), free_port()
    settings = {"REFUSED_FROM": OVERLAY, "NODE": node, "FLEET_SUBNET": "127.0.0.0/29", "VPC_CIDR": f"{VPC}/32"}
    _render(
        folder, "nginx.conf", settings,
        {
            "127.0.0.11": f"{BALANCER}:{names.port}", "listen 8080": f"listen {host}:{port}",
            "listen 8081": f"listen {host}:{door}", "127.0.0.1:8081": f"{host}:{door}", "$at:8081": f"$at:{door}",
            "unix:/run/where": f"unix:{folder}",
        },
    )  # fmt: skip
    asked = {"LOCATOR": f"{BALANCER}:{locator}", "RESOLVER": BALANCER}
    # Ten seconds are too long to wait for.
    _render(folder, "finder.conf", asked, {"unix:/run/where": f"unix:{folder}", "200 10s": "200 1s"}, "finder")
    finder = _nginx(folder, "finder.conf", "finder-")
    router = Router(port, folder, names, _nginx(folder, "nginx.conf", ""), host)
    try:
        with _running(router):
            yield router
    finally:
        finder.terminate()
        finder.wait(READY_LIMIT_S)


@contextmanager
def _running(router: Router) -> Iterator[None]:
    try:
        _await_ready(router)
        yield
    finally:
        router.stop()
        router.names.close()


def _nginx(folder: Path, configuration: str, prefix: str) -> subprocess.Popen[bytes]:
    # As on a node, where it is nobody from the start, its workers may do what it may itself.
    user = f" user {getpass.getuser()};" if os.geteuid() == 0 else ""
    command = [str(NGINX), "-c", str(folder / configuration), "-g", f"daemon off;{user}"]
    with (folder / f"{prefix}stdout").open("ab") as out, (folder / f"{prefix}stderr").open("ab") as err:
        return subprocess.Popen(command, stdout=out, stderr=err)


def _render(folder: Path, target: str, settings: Mapping[str, str], changes: Mapping[str, str], *which: str) -> None:
    """What a node renders, with its addresses and paths changed for one that is no node, and nothing else."""
    given = {"DOMAIN": DOMAIN, "VPC_CIDR": f"{BALANCER}/32", "BODY_LIMIT": str(BODY_LIMIT), "ACCESS_LOG": "yes"}
    rendered = subprocess.run(
        ["bash", str(PROJECT / "render.sh"), *which], env={"PATH": os.environ["PATH"], **given, **settings},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    own = f" {folder}/{target.removesuffix('.conf')}-"
    for before, after in {**changes, " /tmp/": own}.items():
        assert before in rendered
        rendered = rendered.replace(before, after)
    for part in PROJECT.glob("*.conf"):
        shutil.copy(part, folder)
    (folder / target).write_text(rendered, encoding="utf-8")


def _await_ready(router: Router) -> None:
    deadline = time.monotonic() + READY_LIMIT_S
    while True:
        try:
            assert router.ask("127.0.0.1", "/healthz", source=router.host).status == 200
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, router.errors()
            assert router.process.poll() is None, router.errors()
        else:
            return


def free_port() -> int:
    """A port that nobody has, from below those that the system gives to clients: one of them could meet itself.

    None is given twice, nor to tests that run side by side.
    """
    for port in _PORTS:
        try:
            socket.create_server(("", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("no free port is left")
