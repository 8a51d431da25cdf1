"""How a cluster places: one value, handed to everything that decides."""

from __future__ import annotations

from dataclasses import dataclass

from swarmkeeper.domain.placement.patterns import PatternCompiler


@dataclass(frozen=True, slots=True)
class PlacementOptions:
    """The settings of placement. The domain has no regular expressions of its own: their engine is handed in."""

    compile_pattern: PatternCompiler
    """Raises UnsupportedPattern for what it can't compile."""
    strategy: str = "spread"
    """`spread`, `binpack`, `random`, `busiest` or `oldest`."""
    exact: bool = True
    """Whether reserved + requested must fit in the capacity exactly, under any strategy.

    Without, the strategy's truncated scores alone decide, as in classic Swarm.
    """
    ports_by_protocol: bool = False
    """Whether 53/udp and 53/tcp may stand side by side; classic Swarm says no."""
    balance_over: str = ""
    """A node label, such as the zone: among the nodes that may take a request, those whose value of it has the
    fewest containers come first, before the strategy's weight. "" balances over nothing."""
    prefer_local_images: bool = False
    """Whether, among nodes that are equal otherwise, one that holds the request's image comes first."""
