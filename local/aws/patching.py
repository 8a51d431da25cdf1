"""Changing moto's classes in place, and putting them back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import RLock as LockType
from types import ModuleType
from typing import Any

from moto.core.responses import ActionResult, BaseResponse, EmptyResult


@dataclass(slots=True)
class Patches:
    """Attributes replaced on classes and modules; `undo` restores them in reverse order, and may be called twice."""

    _done: list[tuple[type | ModuleType, str, object, bool]] = field(default_factory=list)

    def replace(self, owner: type | ModuleType, name: str, new: object) -> None:
        """Set `owner.name` to `new`, remembering what stood there (or that nothing did)."""
        own = name in vars(owner)
        self._done.append((owner, name, vars(owner).get(name), own))
        setattr(owner, name, new)

    def undo(self) -> None:
        """Restore everything that was replaced."""
        while self._done:
            owner, name, original, own = self._done.pop()
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)


class Request:
    """The parameters of one API call, as botocore's model names them."""

    __slots__ = ("response",)

    def __init__(self, response: BaseResponse) -> None:
        self.response = response

    def text(self, name: str, default: str = "") -> str:
        """A string parameter; `default` when it is absent."""
        value = self.response._get_param(name)
        return default if value is None else str(value)

    def number(self, name: str) -> int | None:
        """An integer parameter; None when it is absent."""
        return self.response._get_int_param(name)

    def flag(self, name: str, default: bool) -> bool:
        """A boolean parameter."""
        return bool(self.response._get_bool_param(name, default))

    def texts(self, name: str) -> list[str]:
        """A list of strings; empty when it is absent."""
        return [str(value) for value in self.response._get_param(name, []) or []]

    def raw(self, name: str) -> Any:
        """A parameter as moto parsed it; None when it is absent."""
        return self.response._get_param(name)


Handler = Callable[[Request], object]


def as_action(handler: Handler) -> Callable[[BaseResponse], ActionResult]:
    """A method for a response class that answers what `handler` returns (None: an empty answer)."""

    def action(response: BaseResponse) -> ActionResult:
        result = handler(Request(response))
        if isinstance(result, ActionResult):
            return result
        return EmptyResult() if result is None else ActionResult(result)

    return action


@dataclass(frozen=True, slots=True)
class Gate:
    """A lock held round handlers, and what to call when one has done its work."""

    lock: LockType
    done: Callable[[], None]

    def held(self, handler: Handler) -> Handler:
        """The handler under the lock; `done` is not called when it raises."""

        def held(request: Request) -> object:
            with self.lock:
                result = handler(request)
            self.done()
            return result

        return held
