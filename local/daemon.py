"""The background process that holds one local cloud: `python -m local.daemon`, started by local.starter."""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from local import lock, remains
from local.aws.disturbance import Disturbance
from local.cloud import LocalCloud, Options
from local.control import ControlServer
from local.starter import RUNTIMES, SOURCE_RUNTIME, LocalCloudError, Places, write_state

log = logging.getLogger("local.daemon")


class Report:
    """Tells the starter what happens, through a pipe, until it has heard that all is ready or has failed."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "w", buffering=1)

    def progress(self, text: str) -> None:
        log.info(text)
        self._say({"progress": text})

    def ready(self) -> None:
        self._say({"ready": True})
        self._pipe.close()

    def failed(self, reason: str) -> None:
        self._say({"error": reason})
        self._pipe.close()

    def _say(self, message: dict[str, object]) -> None:
        # A starter that was killed leaves nobody to tell; the cloud comes up all the same.
        with suppress(BrokenPipeError, ValueError):
            self._pipe.write(json.dumps(message) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Hold a local cloud until told to stop; the exit status is 1 when it could not be started."""
    chosen = _parse(arguments)
    report = Report(chosen.report_fd)
    places = Places(chosen.lock, chosen.state_dir)
    try:
        held = lock.MachineLock.acquire(places.lock, places.state_dir, lock.DAEMON)
    except lock.AlreadyRunning as error:
        report.failed(str(error))
        return 1
    try:
        return _hold(chosen, places, report)
    finally:
        remains.clean(places.state_dir, log.info)
        places.socket.unlink(missing_ok=True)
        held.release()


def _hold(chosen: argparse.Namespace, places: Places, report: Report) -> int:
    stop = threading.Event()
    for word in (signal.SIGTERM, signal.SIGINT):
        signal.signal(word, lambda *_: stop.set())
    try:
        remains.clean(places.state_dir, report.progress)
        remains.make_state_dir(places.state_dir)
    except (OSError, LocalCloudError) as error:
        report.failed(str(error))
        return 1
    _log_to(places.log)
    cloud = LocalCloud(_options(chosen), report.progress)
    try:
        cloud.start()
        control = ControlServer(places.socket, cloud.handlers() | {"stop": lambda _: _set(stop)})
        write_state(places.state, cloud.describe(os.getpid(), time.time()))
        report.ready()
        stop.wait()
        control.stop()
    except Exception as error:
        log.exception("the local cloud failed")
        report.failed(f"{error} ({type(error).__name__}); the log is kept as {remains.keep_logs(places.state_dir)}")
        return 1
    finally:
        cloud.close()
    return 0


def _set(event: threading.Event) -> dict[str, object]:
    event.set()
    return {}


def _options(chosen: argparse.Namespace) -> Options:
    return Options(
        settings=chosen.settings,
        engines=chosen.engines,
        state_dir=chosen.state_dir,
        agent_delay_s=chosen.agent_delay,
        disturbance=Disturbance(seed=chosen.seed),
        runtime=chosen.runtime,
        monitoring=chosen.monitoring,
    )


def _log_to(path: Path) -> None:
    """Everything this process and its libraries say goes to the log file from here on."""
    logging.basicConfig(
        filename=path, level=logging.INFO, format="%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # `kill -USR1` logs what every thread does


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="local.daemon", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--engines", choices=("auto", "real", "simulated"), default="auto")
    parser.add_argument("--agent-delay", type=float, default=20.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--runtime", choices=RUNTIMES, default=SOURCE_RUNTIME)
    parser.add_argument("--monitoring", action="store_true")
    parser.add_argument("--lock", type=Path, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--report-fd", type=int, required=True)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
