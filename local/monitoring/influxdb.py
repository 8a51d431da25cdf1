"""InfluxDB as a process of ours: Debian's influxd, on loopback only, with its data in the cloud's own folder."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from local.machines import MachineError
from local.machines.polling import until
from local.machines.processes import SYSTEM_PATH, Process
from local.monitoring.points import Point

PROGRAM = "influxd"
DATABASE = "swarmkeeper"
"""As compose/monitoring and compose/node name it."""
HOST = "127.0.0.1"
DEFAULT_PORT = 8086
PID_FILE = "influxdb.pid"
_READY_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0
_REQUEST_TIMEOUT_S = 30.0
_CONFIGURATION = """# Made by the local cloud.
reporting-disabled = true
bind-address = "{host}:{rpc_port}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "{host}:{port}"
  log-enabled = false
"""


class InfluxError(MachineError):
    """InfluxDB refused a request."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a query's answer."""

    name: str
    tags: dict[str, str]
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def values(self) -> list[object]:
        """What it tells but for the times, without the gaps that `fill(null)` leaves."""
        first = 1 if self.columns[:1] == ("time",) else 0
        return [value for row in self.rows for value in row[first:] if value is not None]


@dataclass(frozen=True, slots=True)
class Influx:
    """A client of InfluxDB's HTTP API, version 1."""

    host: str
    port: int
    database: str = DATABASE

    @classmethod
    def at(cls, url: str) -> Influx:
        """What `url` names."""
        where = urlsplit(url)
        return cls(where.hostname or HOST, where.port or DEFAULT_PORT)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def answers(self) -> bool:
        try:
            return self._request("GET", "/ping")[0] == HTTPStatus.NO_CONTENT
        except OSError:
            return False

    def create_database(self) -> None:
        self._ask({"q": f'CREATE DATABASE "{self.database}"'}, method="POST")

    def write(self, points: Iterable[Point]) -> int:
        """Store the points and return how many. Raises InfluxError when one is refused."""
        lines = [point.line() for point in points]
        if not lines:
            return 0
        target = "/write?" + urlencode({"db": self.database, "precision": "ns"})
        status, said = self._request("POST", target, "\n".join(lines).encode())
        if status != HTTPStatus.NO_CONTENT:
            raise InfluxError(f"InfluxDB refuses points: {status} {said[:300].decode(errors='replace')}")
        return len(lines)

    def query(self, text: str) -> tuple[Series, ...]:
        """What an InfluxQL statement answers. Raises InfluxError when it is refused."""
        return tuple(_series(self._ask({"q": text, "db": self.database})))

    def _ask(self, parameters: dict[str, str], method: str = "GET") -> dict[str, object]:
        status, said = self._request(method, "/query?" + urlencode(parameters))
        answer: dict[str, object] = json.loads(said)
        fault = answer.get("error") or [each["error"] for each in _results(answer) if "error" in each]
        if status != HTTPStatus.OK or fault:
            raise InfluxError(f"InfluxDB refuses {parameters['q']!r}: {status} {fault}")
        return answer

    def _request(self, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = HTTPConnection(self.host, self.port, timeout=_REQUEST_TIMEOUT_S)
        try:
            connection.request(method, target, body)
            response = connection.getresponse()
            return response.status, response.read()
        except HTTPException as error:
            raise OSError(f"InfluxDB at {self.url}: {error!r}") from error
        finally:
            connection.close()


class InfluxDB:
    """The process; it ends with the cloud, and is found by its pid file when the cloud was killed."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "influxdb"
        self._pid_file = state_dir / PID_FILE
        self._log = state_dir / "influxdb.log"
        self._process: subprocess.Popen[bytes] | None = None
        port, self._rpc_port = _free_ports(2)
        self.client = Influx(HOST, port)

    def start(self) -> None:
        """Start it, wait until it answers, make the database. Raises MachineError with its log's end."""
        program = _program()
        if program is None:
            raise MachineError(f"missing: {PROGRAM} (scripts/setup.sh --monitoring installs it)")
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._folder / "influxdb.conf"
        settings.write_text(self._settings())
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-config", str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": SYSTEM_PATH, "HOME": str(self._folder)},
                start_new_session=True,
            )
        if process := Process.of(self._process.pid):
            process.to_file(self._pid_file)
        until(lambda: self.client.answers() or self._ended(), _READY_TIMEOUT_S)
        if self._ended() or not self.client.answers():
            self.stop()
            raise MachineError(f"InfluxDB doesn't start: {self._log.read_text(errors='replace')[-500:].strip()}")
        self.client.create_database()

    def stop(self) -> None:
        """End it; its data stay in the folder. Safe to repeat."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        self._pid_file.unlink(missing_ok=True)

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _settings(self) -> str:
        return _CONFIGURATION.format(host=HOST, port=self.client.port, rpc_port=self._rpc_port, folder=self._folder)


def installed() -> bool:
    """Whether this machine has it."""
    return _program() is not None


def _program() -> str | None:
    return shutil.which(PROGRAM, path=SYSTEM_PATH)


def _results(answer: dict[str, object]) -> Sequence[dict[str, object]]:
    results = answer.get("results")
    return results if isinstance(results, list) else []


def _series(answer: dict[str, object]) -> Iterator[Series]:
    for result in _results(answer):
        found = result.get("series")
        for each in found if isinstance(found, list) else []:
            rows = tuple(tuple(row) for row in each.get("values", []))
            yield Series(each.get("name", ""), each.get("tags", {}), tuple(each["columns"]), rows)


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
