"""Growing: which instances count as new, and when they count as joined."""

from __future__ import annotations

from typing import Any, cast

import pytest

from swarmkeeper.cli.demo import chain
from swarmkeeper.cli.demo.growing import joined
from swarmkeeper.cli.demo.record import SeenEvent
from swarmkeeper.cli.demo.stage import Stage
from swarmkeeper.cli.demo.watch import View
from swarmkeeper.cli.fleet import NodeView

REQUESTED_AT = 10.0


def stage() -> Stage:
    """A stage of which only the moment of the requests counts."""
    nothing = cast(Any, None)
    return Stage(nothing, nothing, nothing, nothing, nothing, print, "", requested_at=REQUESTED_AT)


def view(launched: dict[str, float], ready: list[str]) -> View:
    events = tuple(
        SeenEvent(t, f"e-{t:g}", "test", chain.LAUNCH_HOOK, {"EC2InstanceId": i}) for i, t in launched.items()
    )
    return View(nodes=tuple(NodeView(id=node, role="worker", state="ready") for node in ready), events=events)


@pytest.mark.parametrize(
    ("ready", "expected"),
    [
        pytest.param(["i-0", "i-1"], None, id="one of two"),
        pytest.param(["i-0", "i-2", "i-1"], ["i-1", "i-2"], id="both"),
    ],
)
def test_new_nodes_have_joined_when_all_that_were_launched_are_ready(
    ready: list[str], expected: list[str] | None
) -> None:
    launched = {"i-0": REQUESTED_AT - 5, "i-2": REQUESTED_AT + 1, "i-1": REQUESTED_AT + 2}
    assert joined(stage(), view(launched, ready)) == expected
