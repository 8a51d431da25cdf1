"""What a node tells of itself becomes the points that Telegraf would make of it."""

from __future__ import annotations

from local.monitoring.points import Point
from local.monitoring.system import Told, points_in

NOW = 1_700_000_000_000_000_000
TAGS = {"fleet": "demo", "pool": "workers", "host": "i-1"}
TELLS = """== stat
cpu  {user} 0 50 {idle} 100 0 0 0 0 0
cpu0 1 2 3 4
== meminfo
MemTotal:        4000 kB
MemFree:          100 kB
MemAvailable:    1000 kB
== net/dev
Inter-|   Receive                              |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo:     1    0    0    0    0     0          0         0     1    0    0    0    0     0       0          0
  eth0:  1200    3    0    0    0     0          0         0   700    2    0    0    0     0       0          0
== loadavg
0.25 0.10 0.05 1/100 1234
== df
Filesystem Type 1B-blocks Used Avail Mounted on
overlay overlay 1000 300 600 /
"""


def told(user: int = 0, idle: int = 0) -> Told:
    return Told.of(TELLS.format(user=user, idle=idle))


def points(now: Told, before: Told | None = None) -> dict[str, Point]:
    return {point.measurement: point for point in points_in(now, before, TAGS, NOW)}


def test_cpu_is_the_share_of_the_time_since_the_last_look() -> None:
    found = points(told(user=130, idle=270), told(user=100, idle=200))["cpu"]
    assert (found.fields["usage_user"], found.fields["usage_idle"], found.fields["usage_active"]) == (30, 70, 30)
    assert found.tags["cpu"] == "cpu-total"


def test_cpu_is_not_told_at_the_first_look_nor_when_no_time_has_passed() -> None:
    assert "cpu" not in points(told())
    assert "cpu" not in points(told(), told())


def test_memory_disk_load_and_traffic_are_told_under_the_nodes_tags() -> None:
    found = points(told())
    assert dict(found["mem"].fields) == {"total": 4_096_000, "available": 1_024_000, "used_percent": 75}
    assert dict(found["net"].fields) == {"bytes_recv": 1200, "bytes_sent": 700}
    assert found["net"].tags["interface"] == "eth0"
    assert found["system"].fields["load1"] == 0.25
    assert found["disk"].tags["path"] == "/"
    assert round(found["disk"].fields["used_percent"], 3) == 33.333
    assert all({*TAGS.items()} <= {*point.tags.items()} for point in found.values())
