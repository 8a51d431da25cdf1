"""Stand-ins for the tests of the emulated services: machines, a bus that remembers, a clock that is moved by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from local.aws.events import Event
from local.machines import CommandOutput, Instance, MachineError, NodeCommand

P = ParamSpec("P")
T = TypeVar("T")


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


class InlineExecutor(Executor):
    """Runs what is submitted at once, in the caller's thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  kept for whoever asks the future, as a pool does
            future.set_exception(error)
        return future


class RecordingBus:
    """A bus that keeps what was put on it."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(
        self, *, source: str, detail_type: str, detail: Mapping[str, object], resources: Sequence[str] = ()
    ) -> str:
        self.events.append(Event(source, detail_type, dict(detail), tuple(resources)))
        return f"event-{len(self.events)}"

    def of(self, detail_type: str) -> list[Event]:
        return [event for event in self.events if event.detail_type == detail_type]

    def details(self, detail_type: str) -> list[Mapping[str, Any]]:
        return [event.detail for event in self.of(detail_type)]


class FakeMachines:
    """Machines that are only names; `refuse` makes starts fail, `die` ends one, `answer` is what commands say."""

    kind = "simulated"

    def __init__(self) -> None:
        self.started: list[Instance] = []
        self.stopped: list[str] = []
        self.commands: list[tuple[str, NodeCommand]] = []
        self.refuse: str | None = None
        self.answer: Callable[[str, NodeCommand], CommandOutput] = lambda i, c: CommandOutput(0, "", "")
        self.captured: dict[str, str] = {}
        self.attached: list[tuple[str, str, int]] = []
        self._alive: dict[str, Instance] = {}
        self._lock = threading.Lock()

    def start(self, instance: Instance) -> None:
        with self._lock:
            if self.refuse is not None:
                raise MachineError(self.refuse)
            self.started.append(instance)
            self._alive[instance.id] = instance

    def stop(self, instance_id: str) -> None:
        with self._lock:
            self.stopped.append(instance_id)
            self._alive.pop(instance_id, None)

    def die(self, instance_id: str) -> None:
        with self._lock:
            del self._alive[instance_id]

    def run(self, instance_id: str, command: NodeCommand) -> CommandOutput:
        with self._lock:
            if instance_id not in self._alive:
                raise MachineError(f"{instance_id} is gone")
            self.commands.append((instance_id, command))
        return self.answer(instance_id, command)

    def attach(self, instance_id: str, volume_id: str, gigabytes: int) -> None:
        with self._lock:
            if instance_id not in self._alive:
                raise MachineError(f"{instance_id} is gone")
            self.attached.append((instance_id, volume_id, gigabytes))

    def capture(self, instance_id: str, image_id: str) -> None:
        with self._lock:
            if instance_id not in self._alive:
                raise MachineError(f"{instance_id} is gone")
            self.captured[image_id] = instance_id

    def running(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._alive)

    def close(self) -> None:
        with self._lock:
            self._alive.clear()


def eventually(condition: Callable[[], T], within_s: float = 10.0) -> T:
    """Wait until the condition holds and return its value. Raises AssertionError at the deadline."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not come true in time")
        pause.wait(0.01)
    return value
