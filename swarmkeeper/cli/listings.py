"""Listings as tables for people; programs take `--json`."""

from __future__ import annotations

import time
from collections.abc import Iterable

from rich.table import Table

from swarmkeeper.cli.fleet import ContainerView, NodeView, ReservedView

STATE_STYLES = {
    "running": "green",
    "ready": "green",
    "pending": "yellow",
    "creating": "cyan",
    "launching": "cyan",
    "certifying": "cyan",
    "joining": "cyan",
    "joined": "cyan",
    "draining": "magenta",
    "leaving": "magenta",
    "lost": "red",
    "removing": "magenta",
}


def container_table(containers: Iterable[ContainerView], *, now: float | None = None) -> Table:
    """One row a container."""
    table = _table("NAME", "STATE", "NODE", "AGE", "REASON")
    moment = time.time() if now is None else now
    for container in containers:
        where = container.get("node") or "-"
        if container.get("moving_to"):
            where += f" -> {container['moving_to']}"
        table.add_row(
            container["name"],
            styled(container["state"]),
            where,
            age(moment - container.get("requested_at", moment)),
            container.get("reason", ""),
        )
    return table


def node_table(nodes: Iterable[NodeView]) -> Table:
    """One row a node."""
    table = _table("ID", "POOL", "ROLE", "STATE", "ADDRESS", "CONTAINERS", "RESERVED", "REASON")
    for node in nodes:
        table.add_row(
            node["id"],
            node.get("pool", ""),
            node.get("role", ""),
            styled(node["state"]),
            node.get("address", ""),
            str(node.get("containers", 0)),
            reserved_share(node),
            _remark(node),
        )
    return table


def _remark(node: NodeView) -> str:
    """Its reason, and that it is protected."""
    return "; ".join(filter(None, ["protected" if node.get("protected") else "", node.get("reason", "")]))


def styled(state: str) -> str:
    """The state in its colour."""
    style = STATE_STYLES.get(state, "white")
    return f"[{style}]{state}[/{style}]"


def reserved_share(node: NodeView) -> str:
    """What is reserved of what the node offers; a dash where it offers nothing yet."""
    nothing: ReservedView = {"cpus": 0, "memory_bytes": 0}
    reserved, capacity = node.get("reserved", nothing), node.get("capacity", nothing)
    if not capacity["memory_bytes"]:
        return "-"
    mebibytes = f"{reserved['memory_bytes'] / 2**20:g} of {capacity['memory_bytes'] / 2**20:.0f} MiB"
    return f"{reserved['cpus']:g} of {capacity['cpus']:g} CPUs, {mebibytes}"


def age(seconds: float) -> str:
    """`42s`, `7m`, `3h` or `2d`."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "m"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{max(0, int(seconds / size))}{unit}"
    return f"{int(seconds / 86_400)}d"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
