"""EC2's capacity, which runs out on command: for an instance type, a group, or a type in a group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock


@dataclass(frozen=True, slots=True)
class Shortage:
    """What there is no more of; an empty part stands for every type, or every group."""

    instance_type: str = ""
    group: str = ""

    def covers(self, instance_type: str, group: str) -> bool:
        return self.instance_type in ("", instance_type) and self.group in ("", group)


@dataclass(slots=True)
class Capacity:
    """How many more instances each shortage lets through; without one there is no end of them. Thread-safe.

    `on_change` is called after a command.
    """

    on_change: Callable[[], None] = lambda: None
    _left: dict[Shortage, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def run_out(self, shortage: Shortage, *, left: int = 0) -> None:
        """Let only `left` more instances be made of what the shortage covers."""
        with self._lock:
            self._left[shortage] = left
        self.on_change()

    def restore(self, shortage: Shortage) -> None:
        """End the shortage; harmless when there is none."""
        with self._lock:
            self._left.pop(shortage, None)
        self.on_change()

    def shortages(self) -> dict[Shortage, int]:
        """What is short now, and how many are left of each."""
        with self._lock:
            return dict(self._left)

    def take(self, instance_type: str, group: str) -> bool:
        """Take one instance's room; False, and nothing taken, when there is none."""
        with self._lock:
            concerned = [shortage for shortage in self._left if shortage.covers(instance_type, group)]
            if any(self._left[shortage] < 1 for shortage in concerned):
                return False
            for shortage in concerned:
                self._left[shortage] -= 1
            return True


def lacking(instance_type: str, zone: str, other_zones: tuple[str, ...]) -> str:
    """EC2's words for a type that it has no more of in a zone."""
    elsewhere = f" or choosing {', '.join(other_zones)}" if other_zones else ""
    return (
        f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested ({zone})."
        " Our system will be working on provisioning additional capacity. You can currently get"
        f" {instance_type} capacity by not specifying an Availability Zone in your request{elsewhere}."
    )


def limited(capacity: Capacity, groups: Mapping[str, str], request: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Do what a request asks for and tell what is short then. Raises ValueError for an unknown pool.

    `type` and `pool` say of what, `left` how many more there are; None ends the shortage. Without a type or a pool
    nothing is changed. `groups` are the pools' groups by name.
    """
    pool, kind, left = str(request.get("pool") or ""), str(request.get("type") or ""), request.get("left")
    if pool and pool not in groups:
        raise ValueError(f"there is no pool {pool}")
    shortage = Shortage(kind, groups.get(pool, ""))
    if (pool or kind) and isinstance(left, int):
        capacity.run_out(shortage, left=left)
    elif pool or kind:
        capacity.restore(shortage)
    pools = {group: name for name, group in groups.items()}
    return [
        {"pool": pools.get(each.group, ""), "type": each.instance_type, "left": number}
        for each, number in capacity.shortages().items()
    ]
