from __future__ import annotations

import pytest

from swarmkeeper.domain.placement.labels import node_labels, slots_from


@pytest.mark.parametrize(
    ("value", "slots"),
    [
        *(("4", 4), ("+5", 5), ("007", 7), ("-2", -2), ("0", 0)),
        *((" 5", None), ("5.0", None), ("", None), ("1_000", None), ("four", None), ("٤", None), ("9" * 19, None)),
        *(("0" * 9999 + "7", 7), ("9" * 9999, None), ("-9223372036854775808", -(2**63)), ("9223372036854775808", None)),
    ],
)
def test_slots_are_what_go_reads_as_an_integer(value: str, slots: int | None) -> None:
    assert slots_from({"containerslots": value}) == slots


def test_no_label_is_no_limit() -> None:
    assert slots_from({}) is None


def test_a_nodes_own_labels_can_not_override_standard_ones() -> None:
    own = {"ostype": "plan9", "kernelversion": "1", "disk": "ssd"}
    assert node_labels(own, {"ostype": "linux", "disk": "ignored"}) == {"ostype": "linux", "disk": "ssd"}
