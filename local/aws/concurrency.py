"""How many environments a function has, and who waits for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from local.aws.environments import Environment
from local.aws.invocations import Invocation, Outcome

LOCAL_CONCURRENCY = 10
"""Environments of a function without reserved concurrency: what a laptop can bear. Callers wait for one of them."""

ACCOUNT_CONCURRENCY = 1000
"""AWS's limit for an account; calls beyond it are throttled."""

KEEP_WARM_S = 300.0


class ThrottledError(Exception):
    """All of the function's concurrency is in use."""


class Pool:
    """The environments of one function, warm ones first."""

    def __init__(self, start: Callable[[], Environment], reserved: int | None) -> None:
        self._start = start
        self._reserved = reserved
        self._limit = LOCAL_CONCURRENCY if reserved is None else reserved
        self._changed = threading.Condition()
        self._idle: list[Environment] = []
        self._busy: set[Environment] = set()
        self._running = 0
        self._waiting = 0
        self._stopped = False

    def run(self, invocation: Invocation, *, patient: bool) -> Outcome:
        """Run an invocation in a free environment.

        Raises ThrottledError when there is none: at once if concurrency is reserved, as on AWS, unless the caller is
        `patient`. Without reserved concurrency AWS would have started another one, so the caller waits for it.
        """
        with self._slot(patient):
            environment = self._take()
            try:
                return environment.initialise() or environment.run(invocation)
            finally:
                self._give_back(environment)

    def busy(self) -> tuple[Environment, ...]:
        """The environments in which something runs, or that start."""
        with self._changed:
            return tuple(self._busy)

    def end_idle(self, now: float) -> None:
        """End environments that had nothing to do for a while; `now` is of the monotonic clock."""
        with self._changed:
            old = [one for one in self._idle if now - one.idle_since > KEEP_WARM_S]
            self._idle = [one for one in self._idle if one not in old]
        for environment in old:
            environment.end()

    def stop(self) -> None:
        """End all environments; what runs in them fails, what waits is throttled."""
        with self._changed:
            self._stopped = True
            environments = [*self._idle, *self._busy]
            self._idle.clear()
            self._changed.notify_all()
        for environment in environments:
            environment.end()

    @contextmanager
    def _slot(self, patient: bool) -> Iterator[None]:
        with self._changed:
            self._wait_for_slot(patient)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify()

    def _wait_for_slot(self, patient: bool) -> None:
        if not patient:
            self._check_room()
        self._waiting += 1
        try:
            self._changed.wait_for(lambda: self._stopped or self._running < self._limit)
        finally:
            self._waiting -= 1
        if self._stopped:
            raise ThrottledError("the function is being removed")

    def _check_room(self) -> None:
        if self._reserved is not None and self._running >= self._limit:
            raise ThrottledError("Rate Exceeded: the function's reserved concurrency is in use.")
        if self._running + self._waiting >= ACCOUNT_CONCURRENCY:
            raise ThrottledError("Rate Exceeded.")

    def _take(self) -> Environment:
        with self._changed:
            while self._idle:
                environment = self._idle.pop()
                if environment.alive:
                    self._busy.add(environment)
                    return environment
        environment = self._start()
        with self._changed:
            self._busy.add(environment)
            stopped = self._stopped
        if stopped:
            environment.end()
        return environment

    def _give_back(self, environment: Environment) -> None:
        with self._changed:
            self._busy.discard(environment)
            keep = environment.alive and not self._stopped
            if keep:
                environment.idle_since = time.monotonic()
                self._idle.append(environment)
        if not keep:
            environment.end()
