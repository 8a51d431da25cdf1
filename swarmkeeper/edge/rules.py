"""What a body says of where its container may go and how long it is kept, taken out of labels and environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from swarmkeeper.domain.model import HostPort, Lifetime, Rules
from swarmkeeper.domain.placement.expressions import (
    Expression,
    InvalidExpression,
    is_plain,
    parse_all,
    parse_whitelists,
)
from swarmkeeper.domain.placement.literals import required
from swarmkeeper.domain.placement.patterns import PatternCompiler
from swarmkeeper.edge.create_body import CreateBody
from swarmkeeper.edge.quantities import parse_duration
from swarmkeeper.errors import InvalidInput

LABELS = {
    "constraint": "com.docker.swarm.constraints",
    "affinity": "com.docker.swarm.affinities",
    "whitelist": "com.docker.swarm.whitelists",
    "reschedule": "com.docker.swarm.reschedule-policies",
}
"""The label that holds a JSON array of each kind of rule; in the environment they begin with the kind and a colon."""
POLICIES = ("on-node-failure", "off")
MOVABLE_LABEL = "swarmkeeper.movable"
EXPIRES_LABEL = "swarmkeeper.expires"
TTL_LABEL = "swarmkeeper.ttl"
IDLE_LABEL = "swarmkeeper.idle"
EXPRESSIONS_MAX = 64
EXPRESSION_CHARACTERS_MAX = 1024
SEARCHES_MAX = 4
"""Affinities of one request that name nothing to look for."""
DURATION_MAX_S = 366 * 86_400
CONTAINER_MODE = "container:"
HOST_MODE = "host"


@dataclass(frozen=True, slots=True)
class TakenOut:
    """A body's rules, and what is left of its environment."""

    rules: Rules
    environment: tuple[str, ...]
    wants_to_move: bool
    is_tied: bool
    """Whether a hard rule names one node."""


def take_out(body: CreateBody, compile_pattern: PatternCompiler) -> TakenOut:
    """The body's rules; label entries come before the environment's.

    All expressions are parsed: a bad one, even soft, refuses the request. Raises InvalidInput that names it.
    """
    constraints = _rules_of(body, "constraint")
    affinities = _rules_of(body, "affinity")
    whitelists = _rules_of(body, "whitelist")
    hard = _parsed("constraint", constraints, lambda given: parse_all(given, compile_pattern))
    _refuse_many_searches(_parsed("affinity", affinities, lambda given: parse_all(given, compile_pattern)))
    named = _parsed("whitelist", whitelists, parse_whitelists)
    mode = body.HostConfig.NetworkMode
    rules = Rules(
        constraints=constraints,
        affinities=affinities,
        whitelists=whitelists,
        ports=ports_of(body),
        exposed=tuple(sorted(map(_with_protocol, body.ExposedPorts))),
        network_mode=mode if mode == HOST_MODE or mode.startswith(CONTAINER_MODE) else "bridge",
        links=links_of(body),
        volumes_from=tuple(body.HostConfig.VolumesFrom),
    )
    environment = tuple(line for line in body.Env if line.partition(":")[0] not in LABELS or ":" not in line)
    return TakenOut(rules, environment, _wants_to_move(body), _names_one_node(hard, named))


def ports_of(body: CreateBody) -> tuple[HostPort, ...]:
    """The ports of the host that the body names; those that the engine chooses clash with nothing."""
    return tuple(
        HostPort(int(binding.HostPort), _with_protocol(port).partition("/")[2], binding.HostIp)
        for port, bindings in sorted(body.HostConfig.PortBindings.items())
        for binding in bindings
        if int(binding.HostPort or 0)
    )


def links_of(body: CreateBody) -> tuple[str, ...]:
    """The body's links, from both places where Docker's clients put them, each once."""
    endpoints = body.NetworkingConfig.EndpointsConfig.values()
    return tuple(dict.fromkeys([*body.HostConfig.Links, *(link for each in endpoints for link in each.Links)]))


def lifetime_of(labels: dict[str, str]) -> Lifetime:
    """How long the container is kept, from its labels. Raises InvalidInput."""
    return Lifetime(
        pending_s=_duration(labels, EXPIRES_LABEL),
        running_s=_duration(labels, TTL_LABEL),
        idle_s=_duration(labels, IDLE_LABEL),
    )


def _duration(labels: dict[str, str], label: str) -> float | None:
    if label not in labels:
        return None
    try:
        seconds = parse_duration(labels[label])
    except ValueError as error:
        raise InvalidInput(f"Labels.{label}", str(error)) from error
    if not 1 <= seconds <= DURATION_MAX_S:
        raise InvalidInput(f"Labels.{label}", f"{labels[label]} is not between 1s and 366 days")
    return float(seconds)


def _rules_of(body: CreateBody, kind: str) -> tuple[str, ...]:
    prefix = f"{kind}:"
    found = [*_label_list(body, LABELS[kind]), *(each[len(prefix) :] for each in body.Env if each.startswith(prefix))]
    if len(found) > EXPRESSIONS_MAX or any(len(each) > EXPRESSION_CHARACTERS_MAX for each in found):
        limits = f"{EXPRESSIONS_MAX} expressions of {EXPRESSION_CHARACTERS_MAX} characters"
        raise InvalidInput(kind, f"at most {limits} may be given")
    return tuple(found)


def _parsed(
    kind: str, expressions: tuple[str, ...], parse: Callable[[tuple[str, ...]], tuple[Expression, ...]]
) -> tuple[Expression, ...]:
    try:
        return parse(expressions)
    except InvalidExpression as error:
        raise InvalidInput(kind, f"{error.expression!r}: {error.problem}") from error


def _refuse_many_searches(affinities: tuple[Expression, ...]) -> None:
    """Refuse more than a few affinities that can only be decided by trying them on every container of the fleet."""
    patterns = {each.value for each in affinities if not is_plain(each.value) and not required(each.value).is_sought}
    if len(patterns) > SEARCHES_MAX:
        raise InvalidInput(
            "affinity",
            f"{len(patterns)} expressions say of no two characters in a row that they must be there, such as"
            f" {min(patterns)!r}; each is tried on every container, so at most {SEARCHES_MAX} may be given",
        )


def _label_list(body: CreateBody, label: str) -> list[str]:
    """A label's JSON array of expressions; classic ignored malformed ones, we refuse them."""
    text = body.Labels.get(label)
    if text is None:
        return []
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"Labels.{label}", "is not a JSON array of expressions") from error
    if entries is None:  # Go reads null as an empty list
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise InvalidInput(f"Labels.{label}", "is not a JSON array of expressions")
    return entries


def _wants_to_move(body: CreateBody) -> bool:
    policies = _rules_of(body, "reschedule")
    if len(policies) > 1:
        raise InvalidInput("Env", "only one reschedule policy may be given")
    if policies and policies[0] not in POLICIES:
        raise InvalidInput("Env", f"reschedule:{policies[0]} is not a policy ({' or '.join(POLICIES)})")
    marked = body.Labels.get(MOVABLE_LABEL, "false")
    if marked not in ("true", "false"):
        raise InvalidInput(f"Labels.{MOVABLE_LABEL}", "is neither true nor false")
    return policies == ("on-node-failure",) or marked == "true"


def _names_one_node(constraints: tuple[Expression, ...], whitelists: tuple[Expression, ...]) -> bool:
    hard = (each for each in constraints if not each.soft and each.key == "node" and each.op == "==")
    alone = (each for each in whitelists if not each.soft and each.op == "==" and "|" not in each.value)
    return any(hard) or any(alone)


def _with_protocol(port: str) -> str:
    return port if "/" in port else f"{port}/tcp"
