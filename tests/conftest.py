"""Which tests can run here: those marked `engine` or `e2e` need real engines, so root on Linux and the programs."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# No deadline an example: a busy machine must not fail them. Everybody's own runs look for new examples; CI, which
# judges a change, tries the same ones each time.
settings.register_profile("swarmkeeper", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("swarmkeeper")

NEEDS_ENGINES = frozenset({"engine", "e2e"})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what needs real engines where they can't run, and say so."""
    wanting = [item for item in items if NEEDS_ENGINES & {mark.name for mark in item.iter_markers()}]
    reason = why_no_engines() if wanting else None
    if reason is None:
        return
    config.hook.pytest_deselected(items=wanting)
    items[:] = [item for item in items if item not in wanting]
    print(f"\n{len(wanting)} tests that need real engines are left out: {reason}")


def why_no_engines() -> str | None:
    """Why real engines can't run on this machine; None when they can."""
    from local.machines.requirements import available  # here, so that unit tests don't import it

    return available()
