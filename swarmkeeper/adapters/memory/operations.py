"""Calls of a store as values, so that a store can put time, conflicts or faults between them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from swarmkeeper.domain.model import Container, Node, Request

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Performer")


class Kind(Enum):
    """How DynamoDB would serve a call."""

    READ = auto()
    WRITE = auto()
    """One item; waits out a transaction that holds it."""
    TRANSACTION = auto()
    """Several items, tried once: another transaction on one of them ends it with a conflict."""
    PATIENT = auto()
    """A transaction that is tried again after a conflict."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A call: the method's name and the items that it writes, as far as they can be fought over."""

    name: str
    kind: Kind
    items: frozenset[str]


class Performer(Protocol):
    def perform(self, operation: Operation, effect: Callable[[], R]) -> R:
        """Run the effect alone on the store."""


def operation(kind: Kind) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R]]:
    """Let every call of the method go through its store's `perform`."""

    def wrap(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
        @functools.wraps(method)
        def run(store: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            written = frozenset() if kind is Kind.READ else _items_of(args)
            return store.perform(
                Operation(method.__name__, kind, written), functools.partial(method, store, *args, **kwargs)
            )

        return run

    return wrap


def _items_of(arguments: tuple[object, ...]) -> frozenset[str]:
    items: set[str] = set()
    for given in arguments:
        if isinstance(given, Node):
            items.add(f"node {given.id}")
        elif isinstance(given, Request):
            items.add(f"container {given.name}")
        elif isinstance(given, Container):
            items.add(f"container {given.name}")
            items.update(f"node {node_id}" for node_id in (given.node, given.moving_to) if node_id)
    return frozenset(items)
