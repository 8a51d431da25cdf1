"""What the requests of a run ask for beside room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import count
from random import Random

from swarmkeeper.cli.bench.crowd import APPS, FLAGS, IMAGES, TENANTS, ZONES
from swarmkeeper.domain.model import Rules


class Scenario(StrEnum):
    """The kinds of requests that are measured."""

    PLAIN = "plain"
    CONSTRAINT = "constraint"
    AFFINITY = "affinity"
    MIXED = "mixed"


CONSTRAINTS = (
    *(f"flag-{flag}=={value}" for flag in range(FLAGS) for value in ("yes", "no")),
    *(f"flag-{flag}!={value}" for flag in range(FLAGS // 2) for value in ("yes", "no")),
    "rack==/^r[01]/",
    "rack!=/^r[01]/",
    "rack==/[02468]$/",
    "rack!=/[02468]$/",
    "node==/[0-7]$/",
    "node==/[89a-f]$/",
)
"""Each accepts about half of the nodes."""

Draw = Callable[[Random, Sequence[str]], Rules]


def drawing(scenario: Scenario) -> Draw:
    """What draws the rules of the next request; the names that it is given are containers that are there now."""
    return DRAWS[scenario]


def with_fresh_patterns(draw: Draw) -> Draw:
    """The same rules, and one affinity more with a pattern that was never asked for before."""
    serial = count(10_000)

    def drawn(random: Random, names: Sequence[str]) -> Rules:
        rules, app, number = draw(random, names), random.randrange(APPS), next(serial)
        patterns = (
            f"*-app-{app}-{number}*",
            f"/app-{app}-{number}$/",
            f"/^t0[0-9]+-app-{app}-{number}/",
            f"*-{number}",
        )
        return replace(rules, affinities=(*rules.affinities, f"container!={random.choice(patterns)}"))

    return drawn


def _plain(random: Random, names: Sequence[str]) -> Rules:
    return Rules()


def _constraint(random: Random, names: Sequence[str]) -> Rules:
    return Rules(constraints=(random.choice(CONSTRAINTS),))


def _affinity(random: Random, names: Sequence[str]) -> Rules:
    return Rules(affinities=(f"container=={random.choice(names)}",))


def _mixed(random: Random, names: Sequence[str]) -> Rules:
    """Away from all containers of a tenant, near an app's and where an image is, if that can be had."""
    return Rules(
        constraints=(random.choice(CONSTRAINTS), f"zone==~{random.choice(ZONES)}"),
        affinities=(
            f"container!=t{random.randrange(TENANTS):03}-*",
            f"app==~app-{random.randrange(APPS)}",
            f"image==~registry.example:5000/team/app-{random.randrange(IMAGES)}:1",
        ),
    )


DRAWS: dict[Scenario, Draw] = {
    Scenario.PLAIN: _plain,
    Scenario.CONSTRAINT: _constraint,
    Scenario.AFFINITY: _affinity,
    Scenario.MIXED: _mixed,
}
