"""The account's image registry: Debian's docker-registry as a process of ours, and pushing to it."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import subprocess
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from local.machines import MachineError
from local.machines.polling import until
from local.machines.processes import SYSTEM_PATH, Process

PID_FILE = "registry.pid"
_READY_TIMEOUT_S = 15.0
_STOP_TIMEOUT_S = 10.0
_REQUEST_TIMEOUT_S = 30.0


class Registry:
    """A registry without TLS and log-in, with its images in the state folder."""

    def __init__(self, state_dir: Path, host: str, port: int) -> None:
        """host: an address of this machine that nodes reach, such as the VPC router's."""
        self.address = f"{host}:{port}"
        self._folder = state_dir / "registry"
        self._pid_file = state_dir / PID_FILE
        self._log = self._folder / "registry.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; raises MachineError with its log's end when it doesn't."""
        if self._process is not None:
            return
        program = shutil.which("docker-registry", path=SYSTEM_PATH)
        if program is None:
            raise MachineError("missing: docker-registry (apt-get install docker-registry)")
        if self.ready():
            raise MachineError(f"something else answers at {self.address} already")
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "config.json").write_text(json.dumps(self._settings()))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "serve", str(self._folder / "config.json")],  # JSON is YAML too
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": SYSTEM_PATH, "OTEL_TRACES_EXPORTER": "none"},
                start_new_session=True,
            )
        if process := Process.of(self._process.pid):
            process.to_file(self._pid_file)
        until(lambda: self.ready() or self._ended(), _READY_TIMEOUT_S)
        if self._ended() or not self.ready():
            self.stop()
            raise MachineError(f"the registry doesn't start: {self._log.read_text(errors='replace')[-500:].strip()}")

    def ready(self) -> bool:
        """Whether it answers the API's base address."""
        try:
            return _request("GET", self.address, "/v2/").status == HTTPStatus.OK
        except OSError:
            return False

    def stop(self) -> None:
        """End it; its images stay in the folder. Safe to repeat."""
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

    def _settings(self) -> dict[str, object]:
        return {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self._folder / "images")},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.address},
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What the registry said."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def push_blob(address: str, repository: str, content: bytes) -> str:
    """Store a blob unless the repository has it; its digest. Raises MachineError when the registry refuses."""
    digest = digest_of(content)
    if _request("HEAD", address, f"/v2/{repository}/blobs/{digest}").status == HTTPStatus.OK:
        return digest
    begun = _request("POST", address, f"/v2/{repository}/blobs/uploads/")
    _expect(begun, HTTPStatus.ACCEPTED, f"upload to {repository}")
    place = urlsplit(begun.headers["Location"])
    target = f"{place.path}?{place.query}&digest={digest}"
    done = _request("PUT", address, target, content, "application/octet-stream")
    _expect(done, HTTPStatus.CREATED, f"blob of {repository}")
    return digest


def push_manifest(address: str, repository: str, tag: str, manifest: bytes, media_type: str) -> str:
    """Store a manifest under a tag; its digest. Raises MachineError when the registry refuses."""
    done = _request("PUT", address, f"/v2/{repository}/manifests/{tag}", manifest, media_type)
    _expect(done, HTTPStatus.CREATED, f"manifest of {repository}")
    return digest_of(manifest)


def digest_of(content: bytes) -> str:
    """The content's name in a registry."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _expect(answer: Answer, status: HTTPStatus, what: str) -> None:
    if answer.status != status:
        raise MachineError(f"the registry refuses the {what}: {answer.status} {answer.body[:300].decode()}")


def _request(method: str, address: str, target: str, body: bytes = b"", media_type: str = "") -> Answer:
    connection = http.client.HTTPConnection(address, timeout=_REQUEST_TIMEOUT_S)
    try:
        connection.request(method, target, body, {"Content-Type": media_type} if media_type else {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    except http.client.HTTPException as error:
        raise OSError(f"registry at {address}: {error!r}") from error
    finally:
        connection.close()
