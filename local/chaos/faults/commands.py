"""Faults of Run Command: one never arrives, or all arrive late for a while."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from local.aws.commands import AgentTiming
from local.chaos.faults.kinds import Injected, Injector
from local.chaos.healing import WorkDone
from local.chaos.plan import Kind, Planned
from local.chaos.snapshot import Snapshot
from local.chaos.stage import Stage

SLOW_S = 10.0
WAITS_S = 90.0
"""How long a loss waits for a command to be sent."""


def _lost(stage: Stage, planned: Planned, seen: Snapshot, hit: Collection[str]) -> Injected | None:
    """One loss at a time."""
    commands = stage.cloud.commands
    if commands.lost_next:
        return None

    def lose_one() -> None:
        commands.lost_next = 1

    def lose_none() -> None:
        commands.lost_next = 0

    return Injected(
        target="the next command",
        begin=lose_one,
        end=lose_none,
        healing=WorkDone,
        lasts_s=WAITS_S,
        has_struck=lambda: commands.lost_next == 0,
        is_over=lambda: commands.lost_next == 0,
    )


def _slow(stage: Stage, planned: Planned, seen: Snapshot, hit: Collection[str]) -> Injected:
    commands = stage.cloud.commands

    def take(delivery_s: float) -> None:
        commands.timing = replace(commands.timing, delivery_s=delivery_s)

    return Injected(
        target="all commands",
        begin=lambda: take(SLOW_S),
        end=lambda: take(AgentTiming().delivery_s),
        healing=WorkDone,
        lasts_s=planned.lasts_s,
    )


INJECTORS: Mapping[Kind, Injector] = {Kind.COMMAND_LOST: _lost, Kind.COMMANDS_SLOW: _slow}
