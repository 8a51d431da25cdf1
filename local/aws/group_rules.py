"""What an Auto Scaling group decides: sizes, where to launch, whom to end. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A subnet that a group may launch into (empty id: the zone's default subnet)."""

    subnet_id: str
    zone: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member of a group, seen by the choice of what to end."""

    instance_id: str
    place: Place
    protected: bool
    template_version: int
    launched: float


def size_fault(low: int, high: int, desired: int) -> str | None:
    """Why these sizes can't stand together; None when they can."""
    if low < 0 or high < 0:
        return "Min and max size must not be negative."
    if low > high:
        return f"Max bound, {high}, must be greater than or equal to min bound, {low}"
    if not low <= desired <= high:
        return f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}"
    return None


def desired_fault(low: int, high: int, desired: int) -> str | None:
    """Why a group of these bounds refuses a new desired capacity; None when it doesn't."""
    if desired > high:
        return f"New SetDesiredCapacity value {desired} is above max value {high} for the AutoScalingGroup."
    if desired < low:
        return f"New SetDesiredCapacity value {desired} is below min value {low} for the AutoScalingGroup."
    return None


def place_for_launch(places: Sequence[Place], members: Sequence[Place]) -> Place:
    """The place in the zone with the fewest members, then the subnet with the fewest, then the first.

    `places` has at least one.
    """
    zones = Counter(member.zone for member in members)
    subnets = Counter(member.subnet_id for member in members)
    order = {place: index for index, place in enumerate(places)}
    return min(places, key=lambda place: (zones[place.zone], subnets[place.subnet_id], order[place]))


def scale_in_choice(members: Sequence[Candidate], count: int, policies: Sequence[str] = ()) -> tuple[str, ...]:
    """Up to `count` instances to end; fewer when protection leaves fewer.

    Each time from the zone with the most members that has an unprotected one; then by the termination policy:
    oldest launch template version and oldest instance (Default), OldestInstance or NewestInstance.
    """
    left = list(members)
    chosen: list[str] = []
    newest_first = "NewestInstance" in policies
    by_age = "OldestInstance" in policies or newest_first
    while len(chosen) < count:
        open_to_choice = [member for member in left if not member.protected]
        if not open_to_choice:
            break
        zones = Counter(member.place.zone for member in left)
        victim = min(
            open_to_choice,
            key=lambda member: (
                -zones[member.place.zone],
                0 if by_age else member.template_version,
                -member.launched if newest_first else member.launched,
                member.instance_id,
            ),
        )
        chosen.append(victim.instance_id)
        left.remove(victim)
    return tuple(chosen)


def rebalance_place(places: Sequence[Place], members: Sequence[Candidate]) -> Place | None:
    """Where AZRebalance would launch one more, before it ends one elsewhere; None when the zones are balanced.

    A group whose fullest zones hold only protected instances is left as it is.
    """
    zones = Counter({place.zone: 0 for place in places})
    zones.update(member.place.zone for member in members if member.place.zone in zones)
    if not zones or max(zones.values()) - min(zones.values()) < 2:
        return None
    fullest = max(zones.values())
    if all(member.protected for member in members if zones[member.place.zone] == fullest):
        return None
    return place_for_launch(places, [member.place for member in members])


def back_off_s(failures: int, base_s: float, longest_s: float) -> float:
    """How long to wait before the next launch after so many failures in a row."""
    return 0.0 if failures == 0 else min(longest_s, base_s * 2.0 ** min(failures - 1, 16))
