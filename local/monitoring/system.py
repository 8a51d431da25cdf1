"""What /proc and df tell of a node, as points: as Telegraf's inputs cpu, mem, net, system and disk have them.

Only the fields that dashboards and alerts ask for. Nodes of a local cloud share one machine: cpu, mem and system are
that machine's, as Telegraf would see it from inside such a node; net and disk are the node's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from local.monitoring.points import Point

SCRIPT = """for file in stat meminfo net/dev loadavg; do echo "== $file"; cat /proc/$file; done
echo '== df'; df --block-size=1 --output=source,fstype,size,used,avail,target /
"""
SECTION = "== "
MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
INTERFACES = ("eth", "ens")
"""As compose/node/telegraf.conf has them: not the bridges and pairs that containers bring."""
IDLE = ("idle", "iowait")


@dataclass(frozen=True, slots=True)
class Told:
    """What a node's script printed, by section."""

    sections: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, text: str) -> Told:
        sections: dict[str, list[str]] = {}
        for line in text.splitlines():
            if line.startswith(SECTION):
                sections[line.removeprefix(SECTION)] = []
            elif sections:
                sections[next(reversed(sections))].append(line)
        return cls({name: tuple(lines) for name, lines in sections.items()})


def points_in(told: Told, before: Told | None, tags: Mapping[str, str], now_ns: int) -> Iterator[Point]:
    """The node's points; CPU's share is that since `before`, so the first time there is none."""

    def point(name: str, fields: Mapping[str, float], **more: str) -> Point:
        return Point(name, {**tags, **more}, fields, now_ns)

    usage = {} if before is None else _cpu_usage(_cpu_times(before), _cpu_times(told))
    if usage:
        yield point("cpu", usage, cpu="cpu-total")
    yield point("mem", _memory(told))
    yield point("system", {"load1": float(told.sections["loadavg"][0].split()[0])})
    for interface, fields in _traffic(told).items():
        yield point("net", fields, interface=interface)
    for source, kind, path, disk in _disks(told):
        yield point("disk", disk, device=source, fstype=kind, path=path)


def _cpu_times(told: Told) -> dict[str, float]:
    [total] = (line for line in told.sections["stat"] if line.startswith("cpu "))
    return dict(zip(MODES, map(float, total.split()[1 : 1 + len(MODES)]), strict=True))


def _cpu_usage(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    """Percent of the time that passed, by mode; `usage_active` is all that isn't idle. None when no time passed."""
    passed = {mode: now[mode] - before[mode] for mode in now}
    total = sum(passed.values())
    if total <= 0:
        return {}
    usage = {f"usage_{mode}": 100 * value / total for mode, value in passed.items()}
    return usage | {"usage_active": 100 * (total - sum(passed[mode] for mode in IDLE)) / total}


def _memory(told: Told) -> dict[str, float]:
    kib = {line.split(":")[0]: float(line.split()[1]) for line in told.sections["meminfo"]}
    total, available = kib["MemTotal"] * 1024, kib["MemAvailable"] * 1024
    return {"total": total, "available": available, "used_percent": 100 * (total - available) / total}


def _traffic(told: Told) -> dict[str, dict[str, float]]:
    found = {}
    for line in told.sections["net/dev"]:
        name, separator, counters = line.partition(":")
        if separator and (interface := name.strip()).startswith(INTERFACES):
            numbers = [float(each) for each in counters.split()]
            found[interface] = {"bytes_recv": numbers[0], "bytes_sent": numbers[8]}
    return found


def _disks(told: Told) -> Iterator[tuple[str, str, str, dict[str, float]]]:
    for line in told.sections["df"][1:]:
        source, kind, size, used, available, path = line.split(maxsplit=5)
        taken = float(used) + float(available)
        yield source, kind, path, {"total": float(size), "used": float(used), "used_percent": 100 * float(used) / taken}
