"""Starts, finds and ends the background process that holds the local cloud; needs the standard library only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from local import control, lock

Progress = Callable[[str], None]

STOP_DEADLINE_S = 60.0
STATE_FILE = "state.json"
LOG_FILE = "daemon.log"
SOURCE_RUNTIME, LAMBDA_RUNTIME = "source", "lambda"
"""What functions run from: the source tree, or their zips and the layer alone."""
RUNTIMES = (SOURCE_RUNTIME, LAMBDA_RUNTIME)


class LocalCloudError(Exception):
    """The local cloud could not be started, reached or ended."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where this user's local cloud keeps its lock, its control socket and its files."""

    lock: Path
    state_dir: Path

    @classmethod
    def default(cls) -> Places:
        """Of the running cloud when there is one, else where one would be."""
        path = lock.default_lock_path()
        holder = lock.holder(path)
        return cls(path, holder.state_dir if holder else lock.default_state_dir())

    @property
    def socket(self) -> Path:
        return self.lock.with_suffix(".sock")

    @property
    def state(self) -> Path:
        return self.state_dir / STATE_FILE

    @property
    def log(self) -> Path:
        return self.state_dir / LOG_FILE


@dataclass(frozen=True, slots=True)
class Cloud:
    """A running local cloud, as its state file tells."""

    pid: int
    fleet: str
    engines: str
    endpoint_url: str
    api_url: str
    region: str
    settings: str
    state_dir: str
    started_at: float
    access_key_id: str
    secret_access_key: str
    runtime: str = SOURCE_RUNTIME
    influxdb_url: str = ""
    """Empty without monitoring."""

    def client(self, service: str) -> Any:
        """A boto3 client for its emulated AWS, whatever this program's own AWS environment says."""
        import boto3
        from botocore.config import Config

        return boto3.client(  # type: ignore[call-overload]  # the service's name is not a literal here
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(read_timeout=120, retries={"total_max_attempts": 1}),
        )

    def environment(self) -> dict[str, str]:
        """What a program's environment needs to use its emulated AWS."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "SWARMKEEPER_FLEET": self.fleet,
            "SWARMKEEPER_API": self.api_url,
        }


def write_state(path: Path, cloud: Cloud) -> None:
    """Make the state file appear whole or not at all."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(asdict(cloud), indent=2) + "\n")
    draft.chmod(0o600)
    draft.replace(path)


def running_cloud(places: Places | None = None) -> Cloud | None:
    """The local cloud that is up on this machine; None when there is none or it is still starting.

    Raises LocalCloudError when another version's is up: its state file has other fields.
    """
    where = places or Places.default()
    holder = lock.holder(where.lock)
    if holder is None or not holder.alive:
        return None
    try:
        told = json.loads(where.state.read_text())
    except FileNotFoundError:
        return None
    try:
        return Cloud(**told)
    except TypeError as error:
        raise LocalCloudError(
            f"a local cloud of another version is running (process {holder.pid}, state in {where.state_dir}); "
            "stop it with `swarmkeeper local down`"
        ) from error


def ask(do: str, *, places: Places | None = None, timeout_s: float = 30.0, **request: object) -> control.Answer:
    """Ask the running cloud's daemon. Raises control.ControlError."""
    return control.ask((places or Places.default()).socket, do, timeout_s=timeout_s, **request)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The local cloud that is wanted."""

    settings: Path
    engines: str = "auto"
    agent_delay_s: float = 20.0
    seed: int | None = None
    runtime: str = SOURCE_RUNTIME
    monitoring: bool = False


def up(wanted: Wanted, progress: Progress, places: Places | None = None) -> tuple[Cloud, bool]:
    """Start the local cloud unless it is up; returns it and whether it was started now.

    Raises LocalCloudError: it failed, or another with other settings is up.
    """
    where = places or Places.default()
    cloud = running_cloud(where)
    if cloud is not None:
        _refuse_another(cloud, wanted)
        return cloud, False
    _start(wanted, where, progress)
    cloud = running_cloud(where)
    if cloud is None:
        raise LocalCloudError(f"the local cloud said that it was ready, but isn't there; see {where.log}")
    return cloud, True


def _refuse_another(cloud: Cloud, wanted: Wanted) -> None:
    if Path(cloud.settings) != wanted.settings.resolve():
        raise LocalCloudError(
            f"a local cloud with other settings is running (process {cloud.pid}, {cloud.settings}); "
            "stop it with `swarmkeeper local down`"
        )
    if wanted.engines not in ("auto", cloud.engines):
        raise LocalCloudError(f"a local cloud with {cloud.engines} engines is running (process {cloud.pid})")
    if wanted.runtime != cloud.runtime:
        raise LocalCloudError(f"a local cloud with the runtime {cloud.runtime} is running (process {cloud.pid})")
    if wanted.monitoring and not cloud.influxdb_url:
        raise LocalCloudError(f"a local cloud without monitoring is running (process {cloud.pid})")


def _start(wanted: Wanted, where: Places, progress: Progress) -> None:
    """Start the daemon in a session of its own, so that it outlives this program and its terminal."""
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "local.daemon", "--settings", str(wanted.settings.resolve())]
    command += ["--engines", wanted.engines, "--agent-delay", str(wanted.agent_delay_s)]
    command += ["--runtime", wanted.runtime]
    command += ["--lock", str(where.lock), "--state-dir", str(where.state_dir), "--report-fd", str(writer)]
    if wanted.monitoring:
        command.append("--monitoring")
    if wanted.seed is not None:
        command += ["--seed", str(wanted.seed)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=(writer,), cwd=project_root()
    )
    os.close(writer)
    try:
        _follow(process, reader, where, progress)
    except KeyboardInterrupt:  # which reaches this session only
        progress("interrupted: ending what was begun")
        process.terminate()
        process.wait()
        raise


def _follow(process: subprocess.Popen[bytes], reader: int, where: Places, progress: Progress) -> None:
    """Tell what the daemon tells until it is ready. Raises LocalCloudError when it ends before."""
    with os.fdopen(reader) as lines:
        for line in lines:
            report = json.loads(line)
            if "error" in report:
                process.wait()
                raise LocalCloudError(report["error"])
            if report.get("ready"):
                return
            progress(report["progress"])
    raise LocalCloudError(f"the local cloud's daemon ended early with status {process.wait()}; see {where.log}")


def down(progress: Progress, places: Places | None = None) -> bool:
    """End the local cloud and remove all that is left of it or of one that crashed; False when there was nothing."""
    from local import remains  # imports what it cleans

    where = places or Places.default()
    holder = lock.holder(where.lock)
    found = holder is not None or where.socket.exists()
    if holder is not None and holder.alive:
        if holder.what != lock.DAEMON:
            raise LocalCloudError(str(lock.AlreadyRunning(holder)))
        progress(f"asking process {holder.pid} to stop")
        _stop(holder.pid, where)
    left = remains.clean(where.state_dir, progress)
    where.socket.unlink(missing_ok=True)
    where.lock.unlink(missing_ok=True)
    return found or left


def _stop(pid: int, where: Places) -> None:
    """Ask, then tell, then force; only ever the process that holds the lock."""
    with suppress(control.ControlError):
        control.ask(where.socket, "stop")
    for word in (None, signal.SIGTERM, signal.SIGKILL):
        if word is not None and _holds(pid, where):
            with suppress(ProcessLookupError):
                os.kill(pid, word)
        if _ended(pid, where):
            return
    raise LocalCloudError(f"process {pid} does not end")


def _ended(pid: int, where: Places) -> bool:
    """Whether it frees the lock, and then goes, in time."""
    deadline = time.monotonic() + STOP_DEADLINE_S
    while _holds(pid, where) or _exists(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _exists(pid: int) -> bool:
    with suppress(ChildProcessError):  # it is our own child when we started it: then it stays until we ask
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # gone, or its number is somebody else's by now
        return False
    return True


def _holds(pid: int, where: Places) -> bool:
    holder = lock.holder(where.lock)
    return holder is not None and holder.alive and holder.pid == pid


def project_root() -> Path:
    """The folder that holds swarmkeeper/, functions/, infra/, compose/ and local/."""
    return Path(__file__).resolve().parents[1]
