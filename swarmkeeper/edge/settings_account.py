"""What the owners of the AWS account want of a fleet: tags, how long logs are kept, what it may cost a month."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from swarmkeeper.edge.settings_fields import Number, Strict, broken
from swarmkeeper.edge.settings_rules import Problem

TagKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9 _.:/=+@-]{1,128}$")]
TagValue = Annotated[str, Field(pattern=r"^[A-Za-z0-9 _.:/=+@-]{0,256}$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=50)]
"""As AWS Budgets takes them."""
RESERVED = ("aws:", "swarmkeeper:")
"""How keys begin that are AWS's or ours."""
Days = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
"""What CloudWatch takes."""


MADE = "made"
Key = Annotated[
    str, Field(pattern=r"^(made|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/(mrk-[0-9a-f]{32}|[0-9a-f-]{36}))$")
]
"""A key of KMS by its ARN; an alias is none, since log groups take none."""


class CostBudget(Strict):
    """Who is told when the fleet's month gets dear. Billing must have the tag `swarmkeeper:fleet` activated."""

    monthly: Annotated[Number, Field(gt=0)]
    """US dollars a month."""
    notify: Annotated[tuple[Email, ...], Field(min_length=1, max_length=10)]
    """Who gets a mail at 80 % of it, and when the month is forecast to exceed it."""


class AccountSettings(Strict):
    """What the owners of the AWS account want of a fleet."""

    tags: Annotated[dict[TagKey, TagValue], Field(max_length=40)] = Field(default_factory=dict)
    """What every resource and every instance carries beside our own tags."""
    log_retention_days: Days = 30
    """How long logs of functions, of the API and of refused traffic are kept."""
    budget: CostBudget | None = None
    key: Key | None = None
    """A KMS key for all that the fleet keeps: `made` for one of its own, or yours by its ARN; docs/security.md."""

    @model_validator(mode="after")
    def _tags_are_theirs(self) -> Self:
        broken(self._reserved())
        return self

    def _reserved(self) -> Iterator[Problem]:
        for key in self.tags:
            if key.lower().startswith(RESERVED):
                yield Problem(("tags", key), f"begins like a key of {key.partition(':')[0]}'s own")
