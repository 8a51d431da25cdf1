from __future__ import annotations

import pytest

from swarmkeeper.domain.model import Resources
from tests.unit.domain.builders import a_node, resources


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        pytest.param(resources(1, 500), True, id="exact"),
        pytest.param(resources(1, 501), False, id="memory"),
        pytest.param(resources(1.1, 1), False, id="CPU"),
        pytest.param(Resources(), True, id="nothing"),
    ],
)
def test_resources_fit_when_neither_amount_exceeds_the_room(wanted: Resources, fits: bool) -> None:
    assert wanted.fits_in(resources(1, 500)) is fits


def test_a_node_that_holds_one_more_has_less_free_and_keeps_its_epoch() -> None:
    node = a_node(epoch=3).holding(resources(0.5, 256))
    assert (node.free, node.containers, node.epoch) == (resources(1.5, 1792), 1, 3)
