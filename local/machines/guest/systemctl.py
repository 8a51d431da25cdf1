"""systemctl for a node without systemd: runs the engine as the unit docker.service would.

Runs on the node under a bare interpreter (stdlib only). The engine reads the node's /etc/docker/daemon.json,
merged with what this machine needs (cgroup parent, storage driver, registry without TLS), so that no setting is
given twice. Started means that the engine has said READY, as with Type=notify.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

NODE_FACTS = Path("/usr/local/lib/swarmkeeper/node.json")
DAEMON_JSON = Path("/etc/docker/daemon.json")
RUN_DIR = Path("/run/swarmkeeper")
MERGED_JSON = RUN_DIR / "daemon.json"
PID_FILE = Path("/run/docker.pid")
LOG = Path("/var/log/docker.log")
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 90.0
"""systemd's default TimeoutStopSec."""
SIMPLE = "/usr/local/lib/swarmkeeper/units.py"
COMPANIONS = frozenset({"containerd", "amazon-ssm-agent"})
"""Units of a stock image that need nothing here: accepted, and as active as the engine."""
FAILED, NOT_ACTIVE, NO_SUCH_UNIT = 1, 3, 5


def merged_settings() -> dict[str, object]:
    """daemon.json of the node plus this machine's settings; raises ValueError when it isn't a JSON object."""
    settings = json.loads(DAEMON_JSON.read_text() or "{}") if DAEMON_JSON.exists() else {}
    if not isinstance(settings, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - a broken file, not a wrong argument
    facts = json.loads(NODE_FACTS.read_text())
    settings.setdefault("cgroup-parent", facts["cgroup_parent"])
    settings.setdefault("storage-driver", "overlay2")
    registries = [*settings.get("insecure-registries", []), *facts["insecure_registries"]]
    if registries:
        settings["insecure-registries"] = sorted(set(registries))
    # Without systemd only cgroupfs can make cgroups, whatever the image's daemon.json asks for.
    options = [option for option in settings.get("exec-opts", []) if not option.startswith("native.cgroupdriver=")]
    settings["exec-opts"] = [*options, "native.cgroupdriver=cgroupfs"]
    return settings


def write_settings() -> None:
    """Write the merged file that the engine reads at start and reload."""
    MERGED_JSON.write_text(json.dumps(merged_settings()))


def engine_pid() -> int | None:
    """The engine's pid when it runs."""
    try:
        pid = int(PID_FILE.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except (OSError, ValueError):
        return None
    return pid if command.endswith(b"dockerd") else None


def raise_limits() -> None:
    """LimitNOFILE=1048576 of the unit, as far as this machine allows it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = 1048576 if hard == resource.RLIM_INFINITY else min(hard, 1048576)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def launch(notify: Path) -> subprocess.Popen[bytes]:
    """The engine as an orphan-to-be of the node's init, in a session of its own."""
    raise_limits()
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "NOTIFY_SOCKET": str(notify)}
    with LOG.open("ab") as log:
        return subprocess.Popen(
            ["dockerd", "--config-file", str(MERGED_JSON)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd="/",
            start_new_session=True,
        )


def wait_ready(listener: socket.socket, process: subprocess.Popen[bytes]) -> bool:
    """Whether the engine said READY before it ended or START_TIMEOUT_S ran out."""
    ended = os.pidfd_open(process.pid)
    while True:
        readable, _, _ = select.select([listener.fileno(), ended], [], [], START_TIMEOUT_S)
        if listener.fileno() not in readable:
            return False
        if b"READY=1" in listener.recv(4096):
            return True


def start() -> int:
    """Start the engine when it doesn't run and wait until it answers; on failure print the log's tail."""
    if engine_pid() is not None:
        return 0
    try:
        write_settings()
    except (OSError, ValueError) as error:
        return failed(f"unable to configure the Docker daemon with file {DAEMON_JSON}: {error}")
    notify = RUN_DIR / "notify"
    notify.unlink(missing_ok=True)
    offset = LOG.stat().st_size if LOG.exists() else 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(notify))
        process = launch(notify)
        if wait_ready(listener, process):
            return 0
    process.kill()
    with LOG.open("rb") as log:
        log.seek(offset)
        return failed(*log.read().decode(errors="replace").splitlines()[-20:])


def failed(*details: str) -> int:
    """Say what systemd says, and why."""
    print("Job for docker.service failed because the control process exited with error code.", file=sys.stderr)
    print(*details, sep="\n", file=sys.stderr)
    return FAILED


def stop() -> int:
    """End the engine and wait until it has gone; kill it after STOP_TIMEOUT_S."""
    pid = engine_pid()
    if pid is None:
        return 0
    try:
        handle = os.pidfd_open(pid)
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        if not select.select([handle], [], [], STOP_TIMEOUT_S)[0]:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [])
    except ProcessLookupError:
        return 0
    return 0


def restart() -> int:
    """Stop, then start."""
    return stop() or start()


def reload() -> int:
    """Make the engine read its settings again (those that it can change while it runs)."""
    pid = engine_pid()
    if pid is None:
        return failed("docker.service is not active, cannot reload.")
    write_settings()
    os.kill(pid, signal.SIGHUP)
    return 0


def is_active(quiet: bool) -> int:  # the quiet flag is systemctl's own
    """0 when the engine runs, else 3, as systemctl answers."""
    active = engine_pid() is not None
    if not quiet:
        print("active" if active else "inactive")
    return 0 if active else NOT_ACTIVE


def act(verb: str, units: list[str], flags: list[str]) -> int:
    """Do the verb on the units; raises KeyError for a verb that this machine doesn't know."""
    if verb in {"daemon-reload", "reset-failed"}:
        return 0
    others = [unit for unit in units if unit != "docker" and unit not in COMPANIONS]
    if others:
        return act_on_simple(verb, others, flags)
    if verb in {"is-active", "status"}:
        return is_active("--quiet" in flags or "-q" in flags)
    if verb in {"enable", "disable"}:
        verb = {"enable": "start", "disable": "stop"}[verb] if "--now" in flags else "is-enabled"
    if verb in {"is-enabled", "unmask"}:
        return 0
    if verb == "reload-or-restart":
        verb = "restart"
    action = {"start": start, "stop": stop, "restart": restart, "reload": reload}[verb]
    return action() if "docker" in units else 0


def act_on_simple(verb: str, units: list[str], flags: list[str]) -> int:
    """Do the verb on services that the documents wrote; the first one that fails ends it."""
    if verb in {"enable", "disable"}:
        verb = {"enable": "start", "disable": "stop"}[verb] if "--now" in flags else "is-enabled"
    for unit in units:
        if not (Path("/etc/systemd/system") / f"{unit}.service").exists():
            print(f"Unit {unit}.service not found.", file=sys.stderr)
            return NO_SUCH_UNIT
        ended = 0 if verb == "is-enabled" else subprocess.run([sys.executable, "-IS", SIMPLE, verb, unit]).returncode
        if ended:
            return ended
    return 0


def main(arguments: list[str]) -> int:
    """systemctl [flags] VERB [UNIT...]; one at a time on a node."""
    flags = [argument for argument in arguments if argument.startswith("-")]
    words = [argument for argument in arguments if not argument.startswith("-")]
    units = [unit.removesuffix(".service").replace("docker.socket", "docker") for unit in words[1:]]
    RUN_DIR.mkdir(mode=0o755, exist_ok=True)
    with (RUN_DIR / "systemctl.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return act(words[0] if words else "", units, flags)
        except KeyError as verb:
            print(f"systemctl: {verb} is not understood on this machine", file=sys.stderr)
            return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
