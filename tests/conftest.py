"""Which tests can run here.

Those marked `engine` or `e2e` need real engines, so root on Linux and the programs; those marked `browser` need
Chromium.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from infra.native_imports import use_as_set

if os.environ.get("SWARMKEEPER_NATIVE") == "1":  # else interpreted, built or not
    use_as_set()

import pytest
from hypothesis import settings

# No deadline an example: a busy machine must not fail them. Everybody's own runs look for new examples; CI, which
# judges a change, tries the same ones each time.
settings.register_profile("swarmkeeper", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("swarmkeeper")

NEEDS_ENGINES = frozenset({"engine", "e2e"})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what can't run here, and say so."""
    _leave_out(config, items, NEEDS_ENGINES, "real engines", why_no_engines)
    _leave_out(config, items, frozenset({"browser"}), "a browser", why_no_browser)


def _leave_out(
    config: pytest.Config, items: list[pytest.Item], marks: frozenset[str], what: str, why_not: Callable[[], str | None]
) -> None:
    wanting = [item for item in items if marks & {mark.name for mark in item.iter_markers()}]
    reason = why_not() if wanting else None
    if reason is None:
        return
    config.hook.pytest_deselected(items=wanting)
    items[:] = [item for item in items if item not in wanting]
    print(f"\n{len(wanting)} tests that need {what} are left out: {reason}")


def why_no_engines() -> str | None:
    """Why real engines can't run on this machine; None when they can."""
    from local.machines.requirements import available  # here, so that unit tests don't import it

    return available()


def why_no_browser() -> str | None:
    """Why no page can be opened on this machine; None when one can."""
    return None if shutil.which("chromium") else "chromium is missing"
