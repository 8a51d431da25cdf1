"""Headroom that follows what arrives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import e

from hypothesis import given
from hypothesis import strategies as st

from swarmkeeper.domain.model import NO_RESOURCES, Container, Node
from swarmkeeper.domain.scaling.arrivals import (
    NO_ARRIVALS,
    ArrivalHeadroom,
    ArrivalPeak,
    nodes_beyond,
    nodes_missing,
    observed,
    raised,
    spares_beyond,
    spares_of,
)
from swarmkeeper.domain.scaling.slots import free_slots
from swarmkeeper.domain.scaling.spare import Spare
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
    later = raised(peak, {resources(1, 900): 1}, {}, NOW + 3600, HEADROOM)
    assert later.resources.nano_cpus == int(10**10 * (1 / e))
    assert later.resources.memory_bytes == resources(0, 900).memory_bytes
    assert later.at == NOW + 3600


def test_the_last_typical_size_stays_while_nothing_arrives() -> None:
    peak = ArrivalPeak(resources(1, 256), resources(1, 256), NOW)
    assert observed(peak, [], NOW + 60, HEADROOM).size == resources(1, 256)


def test_an_observation_that_comes_late_decays_nothing() -> None:
    peak = ArrivalPeak(resources(1, 256), resources(1, 256), NOW, resources(2, 256), 1.5)
    assert raised(peak, {}, {}, NOW - 500, HEADROOM) == peak


def test_arrivals_that_do_not_fit_the_typical_size_are_counted_beside_it() -> None:
    few = [arrived(10, 2, 256), arrived(20, 0.5, 1024), arrived(500, 1, 2048)]
    peak = observed(NO_ARRIVALS, [*(arrived(1000) for _ in range(60)), *few], NOW, HEADROOM)
    assert peak.size == resources(0.5, 256)
    assert peak.large == resources(2, 2048)  # as much of either as any had
    assert peak.large_count == 2  # within the boot time


def test_a_container_with_a_gpu_is_no_larger_than_one_of_the_same_cpu_and_memory() -> None:
    assert observed(NO_ARRIVALS, [with_gpu(arrived(1)), arrived(2)], NOW, HEADROOM).large_count == 0


def test_the_count_of_large_arrivals_decays_keeps_their_size_and_is_forgotten_in_the_end() -> None:
    peak = ArrivalPeak(resources(9, 0), resources(1, 256), NOW, resources(2, 512), 4)
    later = raised(peak, {}, {}, NOW + 3600, HEADROOM)
    assert (later.large, later.large_count) == (resources(2, 512), 4 / e)
    assert raised(peak, {}, {}, NOW + 40_000, HEADROOM).large_count == 0


def test_one_large_arrival_is_waited_for_while_it_counts_for_half() -> None:
    peak = ArrivalPeak(NO_RESOURCES, resources(1, 256), NOW, resources(2, 512), 1)
    assert spares_of(peak, HEADROOM)[1:] == (Spare(resources(2, 512), 1),)
    assert spares_of(replace(peak, large_count=0.5), HEADROOM)[1:] == (Spare(resources(2, 512), 1),)
    assert spares_of(replace(peak, large_count=0.49), HEADROOM)[1:] == ()


def test_many_small_pieces_of_room_are_none_for_a_large_arrival() -> None:
    peak = ArrivalPeak(resources(2, 0), resources(0.5, 256), NOW, resources(2, 512), 1)
    halves = [a_node(f"i-{number}", reserved=resources(1, 0)) for number in range(9)]
    assert missing(halves, peak) == 1
    assert missing([*halves, a_node("i-free")], peak) == 0
    assert spare([*halves, a_node("i-free")], peak) == 0
    assert spare([*halves, a_node("i-free"), a_node("i-more"), a_node("i-most")], peak) == 1


def test_an_arrival_larger_than_any_node_of_the_pool_keeps_nothing_free() -> None:
    peak = ArrivalPeak(resources(2, 0), resources(0.5, 256), NOW, resources(64, 512), 3)
    assert missing([a_node("i-0a"), a_node("i-0b")], peak) == 0
    assert spare([a_node("i-0a"), a_node("i-0b"), a_node("i-0c")], peak) == 1


def test_nodes_are_missing_while_fewer_slots_are_free_than_may_arrive() -> None:
    peak = ArrivalPeak(resources(5, 0), resources(1, 256), NOW)
    nodes = [a_node("i-0a", reserved=resources(1.5, 0)), a_node("i-0b")]
    assert spares_of(peak, HEADROOM) == (Spare(resources(1, 256), 5),)
    assert missing(nodes, peak) == 2  # 2 slots are free, a node has 2
    assert spare(nodes, peak) == 0


def test_a_node_is_kept_beyond_the_headroom_so_that_it_is_not_bought_back() -> None:
    peak = ArrivalPeak(resources(2, 0), resources(1, 256), NOW)
    nodes = [a_node("i-0a"), a_node("i-0b"), a_node("i-0c")]
    assert spare(nodes, peak) == 1
    assert spare(nodes, peak, replace(HEADROOM, spare_nodes=0)) == 2


def test_before_anything_has_arrived_there_is_no_headroom() -> None:
    assert missing([], NO_ARRIVALS) == 0
    assert spare([a_node()], NO_ARRIVALS) == 1


@given(
    reserved=st.lists(st.floats(0, 2), max_size=8),
    wanted=st.floats(0, 40),
    cpus=st.sampled_from((0.25, 0.3, 0.5, 1, 2)),
    large=st.sampled_from((0.5, 1, 2, 4)),
    large_count=st.floats(0, 5),
)
def test_what_is_missing_is_enough_and_what_is_spare_is_not_missing_afterwards(
    reserved: list[float], wanted: float, cpus: float, large: float, large_count: float
) -> None:
    nodes = [a_node(f"i-{number}", reserved=resources(used, 0)) for number, used in enumerate(reserved)]
    empty = [a_node(f"i-e{number}") for number in range(5)]
    peak = ArrivalPeak(resources(wanted, 0), resources(cpus, 1), NOW, resources(large, 1), large_count)
    bought = [a_node(f"i-n{number}") for number in range(missing(nodes, peak))]
    assert missing([*nodes, *bought], peak) == 0
    assert not bought or spare([*nodes, *bought], peak) == 0
    going = min(len(empty), spare([*nodes, *empty], peak))
    assert going == 0 or missing([*nodes, *empty[going:]], peak) == 0


@given(
    arrivals=st.lists(st.tuples(st.integers(0, 5000), st.sampled_from((0.5, 1, 2)), st.sampled_from((128, 1024)))),
    decayed=st.integers(0, 9000),
)
def test_every_arrival_within_the_boot_time_fits_a_slot_that_is_kept(
    arrivals: list[tuple[int, float, int]], decayed: int
) -> None:
    lately = [arrived(*each) for each in arrivals]
    before = ArrivalPeak(resources(1, 64), resources(0.5, 64), NOW - decayed, resources(1, 64), 2)
    spares = spares_of(observed(before, lately, NOW, HEADROOM), HEADROOM)
    for container in lately:
        if NOW - container.requested_at < HEADROOM.boot_s:
            assert any(container.request.reservation.fits_in(each.piece) for each in spares if each.count)


def missing(nodes: Sequence[Node], peak: ArrivalPeak) -> int:
    spares = spares_of(peak, HEADROOM)
    return nodes_missing([free_slots(nodes, each.piece) for each in spares], spares, a_pool())


def spare(nodes: Sequence[Node], peak: ArrivalPeak, headroom: ArrivalHeadroom = HEADROOM) -> int:
    spares = spares_beyond(spares_of(peak, headroom), a_pool(), headroom.spare_nodes)
    return nodes_beyond([free_slots(nodes, each.piece) for each in spares], len(nodes), spares, a_pool())


def with_gpu(container: Container) -> Container:
    size = replace(container.request.reservation, generic=(("gpu", 1),))
    return replace(container, request=replace(container.request, reservation=size))
