"""A request as placement reads it: what is reserved, and where it may go, with the expressions parsed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from swarmkeeper.domain.model import HostPort, NodeId, Request, Resources, Rules
from swarmkeeper.domain.placement.expressions import Expression, parse_all, parse_whitelists
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.patterns import PatternCompiler

BRIDGE_MODE = "bridge"
HOST_MODE = "host"
CONTAINER_MODE = "container:"

Parsed = tuple[tuple[Expression, ...], tuple[Expression, ...], tuple[Expression, ...]]
NOTHING: Parsed = ((), (), ())


@dataclass(slots=True)
class Wish:
    """A request as filters read it. A value: nobody changes one, but freezing it would be a tenth of a decision's time.

    `dependencies` are references to containers that must be on the same node. `ports` are compared outside host
    network mode, `exposed` (`80/tcp`) within.
    """

    reservation: Resources
    constraints: tuple[Expression, ...] = ()
    affinities: tuple[Expression, ...] = ()
    whitelists: tuple[Expression, ...] = ()
    ports: tuple[HostPort, ...] = ()
    exposed: tuple[str, ...] = ()
    network_mode: str = "bridge"
    dependencies: tuple[str, ...] = ()
    image: str = ""
    avoid: frozenset[NodeId] = frozenset()

    @property
    def is_soft(self) -> bool:
        """Whether a second pass could differ from the first."""
        return any(each.soft for each in (*self.affinities, *self.constraints, *self.whitelists))

    def hard_only(self) -> Wish:
        """The wish of the second pass: all soft expressions dropped at once."""
        if not self.is_soft:
            return self
        return replace(
            self,
            constraints=_hard(self.constraints),
            affinities=_hard(self.affinities),
            whitelists=_hard(self.whitelists),
        )


def wish_of(request: Request, options: PlacementOptions, avoid: frozenset[NodeId] = frozenset()) -> Wish:
    """Parse a request. Raises InvalidExpression for a bad expression, soft or not."""
    rules = request.rules
    is_plain = not (rules.affinities or rules.constraints or rules.whitelists)
    affinities, constraints, whitelists = NOTHING if is_plain else parse_rules(rules, options.compile_pattern)
    return Wish(  # by position, in the fields' order: keywords cost a third more on every decision
        request.reservation,
        constraints,
        affinities,
        whitelists,
        rules.ports,
        rules.exposed,
        rules.network_mode,
        dependencies_of(rules),
        request.image,
        avoid,
    )


def parse_rules(rules: Rules, compile_pattern: PatternCompiler) -> Parsed:
    """The affinities, constraints and whitelists of the rules. Raises InvalidExpression for the first bad one."""
    return (
        parse_all(rules.affinities, compile_pattern),
        parse_all(rules.constraints, compile_pattern),
        parse_whitelists(rules.whitelists),
    )


def dependencies_of(rules: Rules) -> tuple[str, ...]:
    """What the rules refer to, each once: volumes-from, links (before the first colon), a container's network."""
    shares_network = rules.network_mode != BRIDGE_MODE and rules.network_mode.startswith(CONTAINER_MODE)
    if not (shares_network or rules.volumes_from or rules.links):
        return ()
    references = [text.partition(":")[0] for text in (*rules.volumes_from, *rules.links)]
    if shares_network:
        references.append(rules.network_mode.removeprefix(CONTAINER_MODE))
    return tuple(dict.fromkeys(references))


def _hard(expressions: tuple[Expression, ...]) -> tuple[Expression, ...]:
    return tuple(each for each in expressions if not each.soft)
