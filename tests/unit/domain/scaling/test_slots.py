"""Free room in slots of a typical size."""

from __future__ import annotations

import pytest

from swarmkeeper.domain.model import NO_RESOURCES
from swarmkeeper.domain.scaling.slots import free_slots, slots_in, slots_needed, typical_size
from tests.fakes.builders import a_node, resources


def test_the_typical_size_is_what_most_requests_do_not_exceed_in_each_dimension() -> None:
    counts = {resources(1, 1024): 90, resources(2, 512): 5, resources(8, 512): 5}
    assert typical_size(counts) == resources(2, 1024)
    assert typical_size(counts, 100) == resources(8, 1024)
    assert typical_size({}) == typical_size({resources(1, 1024): 0}) == NO_RESOURCES


@pytest.mark.parametrize(
    ("room", "containers", "slots"),
    [
        pytest.param(resources(8, 1024), None, 1, id="memory is short"),
        pytest.param(resources(2, 8192), None, 2, id="CPU is short"),
        pytest.param(resources(8, 8192), 3, 3, id="the node takes no more containers"),
        pytest.param(resources(0.9, 8192), None, 0, id="a remainder is no slot"),
        pytest.param(resources(-1, 8192), None, 0, id="an overfull node has none"),
    ],
)
def test_a_slot_needs_room_in_every_dimension(room, containers, slots) -> None:  # type: ignore[no-untyped-def]
    assert slots_in(room, resources(1, 1024), containers) == slots


def test_what_has_no_size_has_no_slots() -> None:
    assert slots_in(resources(8, 1024), NO_RESOURCES) == 0
    assert slots_needed(resources(8, 1024), NO_RESOURCES) == 0


def test_slots_are_counted_node_by_node() -> None:
    nodes = [a_node("i-0a", reserved=resources(1.5, 0)), a_node("i-0b", reserved=resources(1.5, 0)), a_node("i-0c")]
    assert free_slots(nodes, resources(1, 512)) == 2  # the two halves of a CPU hold nothing


def test_the_scarcer_dimension_says_how_many_slots_are_needed() -> None:
    assert slots_needed(resources(3, 1024), resources(2, 256)) == 4
    assert slots_needed(resources(5, 0), resources(2, 256)) == 3
    assert slots_needed(resources(5, 0), resources(2, 256), 120) == 3
    assert slots_needed(resources(5, 0), resources(2, 256), 121) == 4
