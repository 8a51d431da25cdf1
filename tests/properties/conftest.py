"""Property tests have no deadline an example: a busy machine must not fail them."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("swarmkeeper", deadline=None)
settings.load_profile("swarmkeeper")
