"""How nodes get in: what they have pulled first, and how long a join token is good."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from swarmkeeper.edge.quantities import Seconds
from swarmkeeper.edge.settings_fields import Strict

PoolImage = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]{0,400}$")]
"""An image that the pool's nodes have pulled before they are called ready; the pull document takes the same."""


class JoiningSettings(Strict):
    """What holds for the joins of all pools."""

    token_rotation: Annotated[Seconds, Field(ge=3600)] | None = 30 * 24 * 3600
    """How often the Swarm makes new join tokens; null: only when somebody asks for it."""
