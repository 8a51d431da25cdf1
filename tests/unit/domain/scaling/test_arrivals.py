"""Headroom that follows what arrives."""

from __future__ import annotations

from dataclasses import replace
from math import e

from hypothesis import given
from hypothesis import strategies as st

from swarmkeeper.domain.model import NO_RESOURCES, Container
from swarmkeeper.domain.scaling.arrivals import (
    NO_ARRIVALS,
    ArrivalHeadroom,
    ArrivalPeak,
    nodes_missing,
    nodes_spare,
    observed,
    raised,
    slots_wanted,
)
from swarmkeeper.domain.scaling.slots import free_slots
from tests.fakes.builders import a_node, resources
from tests.unit.domain.builders import NOW, a_container, a_pool

HEADROOM = ArrivalHeadroom(boot_s=100, memory_s=3600, percent=100)


def arrived(seconds_ago: float, cpus: float = 0.5, memory_mib: int = 256) -> Container:
    return replace(a_container(cpus=cpus, memory_mib=memory_mib), requested_at=NOW - seconds_ago)


def test_the_peak_is_what_arrived_within_one_boot_time() -> None:
    peak = observed(NO_ARRIVALS, [arrived(10), arrived(99), arrived(100), arrived(5000, cpus=2)], NOW, HEADROOM)
    assert peak == ArrivalPeak(resources(1, 512), resources(0.5, 256), NOW)


def test_a_peak_decays_and_a_higher_one_replaces_it() -> None:
    peak = ArrivalPeak(resources(10, 1000), resources(1, 100), NOW)
    later = raised(peak, resources(1, 900), NO_RESOURCES, NOW + 3600, HEADROOM)
    assert later.resources.nano_cpus == int(10**10 * (1 / e))
    assert later.resources.memory_bytes == resources(0, 900).memory_bytes
    assert later.at == NOW + 3600


def test_the_last_typical_size_stays_while_nothing_arrives() -> None:
    peak = ArrivalPeak(resources(1, 256), resources(1, 256), NOW)
    assert observed(peak, [], NOW + 60, HEADROOM).size == resources(1, 256)


def test_an_observation_that_comes_late_decays_nothing() -> None:
    peak = ArrivalPeak(resources(1, 256), resources(1, 256), NOW)
    assert raised(peak, NO_RESOURCES, NO_RESOURCES, NOW - 500, HEADROOM) == peak


def test_nodes_are_missing_while_fewer_slots_are_free_than_may_arrive() -> None:
    peak = ArrivalPeak(resources(5, 0), resources(1, 256), NOW)
    nodes = [a_node("i-0a", reserved=resources(1.5, 0)), a_node("i-0b")]
    assert slots_wanted(peak, HEADROOM) == 5
    assert nodes_missing(free_slots(nodes, peak.size), peak, a_pool(), HEADROOM) == 2  # 2 slots are free, a node has 2
    assert nodes_spare(free_slots(nodes, peak.size), len(nodes), peak, a_pool(), HEADROOM) == 0


def test_a_node_is_kept_beyond_the_headroom_so_that_it_is_not_bought_back() -> None:
    peak = ArrivalPeak(resources(2, 0), resources(1, 256), NOW)
    nodes = [a_node("i-0a"), a_node("i-0b"), a_node("i-0c")]
    assert nodes_spare(free_slots(nodes, peak.size), len(nodes), peak, a_pool(), HEADROOM) == 1
    assert nodes_spare(free_slots(nodes, peak.size), len(nodes), peak, a_pool(), replace(HEADROOM, spare_nodes=0)) == 2


def test_before_anything_has_arrived_there_is_no_headroom() -> None:
    assert nodes_missing(0, NO_ARRIVALS, a_pool(), HEADROOM) == 0
    assert nodes_spare(0, 1, NO_ARRIVALS, a_pool(), HEADROOM) == 1


@given(
    reserved=st.lists(st.floats(0, 2), max_size=8),
    wanted=st.floats(0, 40),
    cpus=st.sampled_from((0.25, 0.3, 0.5, 1, 2)),
)
def test_what_is_missing_is_enough_and_what_is_spare_is_not_missing_afterwards(
    reserved: list[float], wanted: float, cpus: float
) -> None:
    nodes = [a_node(f"i-{number}", reserved=resources(used, 0)) for number, used in enumerate(reserved)]
    empty = [a_node(f"i-e{number}") for number in range(5)]
    peak = ArrivalPeak(resources(wanted, 0), resources(cpus, 1), NOW)
    missing = nodes_missing(free_slots(nodes, peak.size), peak, a_pool(), HEADROOM)
    bought = [a_node(f"i-n{number}") for number in range(missing)]
    assert nodes_missing(free_slots([*nodes, *bought], peak.size), peak, a_pool(), HEADROOM) == 0
    assert (
        missing == 0
        or nodes_spare(free_slots([*nodes, *bought], peak.size), len([*nodes, *bought]), peak, a_pool(), HEADROOM) == 0
    )
    going = min(
        len(empty),
        nodes_spare(free_slots([*nodes, *empty], peak.size), len([*nodes, *empty]), peak, a_pool(), HEADROOM),
    )
    left = [*nodes, *empty[going:]]
    assert going == 0 or nodes_missing(free_slots(left, peak.size), peak, a_pool(), HEADROOM) == 0
