"""What of swarmkeeper.yaml is about nodes that fall silent; docs/reliability.md explains it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from swarmkeeper.edge.quantities import Seconds
from swarmkeeper.edge.settings_fields import Strict
from swarmkeeper.edge.settings_scaling import MaxRemovals, Window

OnFailure = Literal["wait", "terminate"]
Grace = Annotated[Seconds, Field(ge=5, le=3600)]
ReturnLimit = Annotated[Seconds, Field(ge=60, le=24 * 3600)]


class MaxLost(MaxRemovals):
    """At most so many workers, or this share of them, but one at least, are declared lost within a window."""

    window: Window = 600


class FailureSettings(Strict):
    """What holds for the silent nodes of all pools."""

    max_lost: MaxLost = MaxLost(share=0.34)
