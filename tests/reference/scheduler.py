"""The plainest scheduler that means the same: every rule spelled out over every node, nothing shared or kept.

Written from the rules (docs/placement.md), not from the code that it checks; only parsed expressions are shared.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import HostPort, NodeId, Occupant, Role
from swarmkeeper.domain.placement.expressions import Expression
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.reasons import Reason
from swarmkeeper.domain.placement.wish import Wish

UNSPECIFIED = {"", "0.0.0.0", "::", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0"}  # the spellings that tests use


@dataclass(frozen=True)
class Answer:
    """What was decided, in the words of `Decision`."""

    node_id: NodeId | None
    pass_: int
    weight: int | None
    rejections: dict[Reason, int]


def decide(cluster: list[NodeFacts], wish: Wish, options: PlacementOptions, seed: int | None = None) -> Answer:
    """Where the wish goes: soft expressions enforced, and if that leaves nothing, all dropped."""
    for pass_ in (1, 2):
        verdicts = [(node, verdict(node, wish, options, soft=pass_ == 1)) for node in cluster]
        able = [(node, weight) for node, weight in verdicts if not isinstance(weight, Reason)]
        rejections = dict(Counter(reason for _, reason in verdicts if isinstance(reason, Reason)))
        if able:
            keys = {node.id: order(node, weight, cluster, wish, options) for node, weight in able}
            equals = [each for each in able if keys[each[0].id] == min(keys.values())]
            equals.sort(key=lambda each: each[0].name)
            node, weight = equals[0 if seed is None else bits(str(seed)) % len(equals)]
            return Answer(node.id, pass_, weight, rejections)
    return Answer(None, 2, None, rejections)


def verdict(node: NodeFacts, wish: Wish, options: PlacementOptions, *, soft: bool) -> Reason | int:
    """The first rule that the node breaks, or its weight."""

    def applies(expressions: tuple[Expression, ...]) -> list[Expression]:
        return [each for each in expressions if soft or not each.soft]

    if node.role != Role.WORKER:
        return Reason.ROLE
    if node.state != NodeState.READY:
        return Reason.STATE
    if node.id in wish.avoid:
        return Reason.AVOIDED
    if node.health <= 0:
        return Reason.HEALTH
    if any(takes_port(occupant, wish, options) for occupant in node.occupants):
        return Reason.PORT
    if node.slots is not None and node.containers >= node.slots:
        return Reason.CONTAINERSLOTS
    if not all(finds(node, reference) for reference in wish.dependencies):
        return Reason.DEPENDENCY
    if not all(holds(each, compared_by_affinity(node, each.key)) for each in applies(wish.affinities)):
        return Reason.AFFINITY
    if not all(holds(each, compared_by_constraint(node, each.key)) for each in applies(wish.constraints)):
        return Reason.CONSTRAINT
    if not all(node.name in each.value.split("|") for each in applies(wish.whitelists)):
        return Reason.WHITELIST
    weight = weighed(node, wish, options)
    return Reason.RESOURCES if weight is None else weight


def takes_port(occupant: Occupant, wish: Wish, options: PlacementOptions) -> bool:
    if wish.network_mode == "host":
        return occupant.network_mode == "host" and bool(set(wish.exposed) & set(occupant.exposed))
    return any(meet(wanted, held, options) for wanted in wish.ports for held in occupant.ports)


def meet(wanted: HostPort, held: HostPort, options: PlacementOptions) -> bool:
    if wanted.port == 0 or wanted.port != held.port:
        return False
    if options.ports_by_protocol and wanted.protocol != held.protocol:
        return False
    return wanted.address == held.address or bool({wanted.address, held.address} & UNSPECIFIED)


def finds(node: NodeFacts, reference: str) -> bool:
    if not reference:
        return False
    for occupant in node.occupants:
        for an_id in (occupant.id, occupant.swarm_id):
            if an_id and reference in (an_id, an_id.split(":", 1)[-1][:12]):
                return True
    called = ["/" + occupant.name for occupant in node.occupants if occupant.name]
    named = [name for name in called if reference in (name, name[1:], node.name + name, node.id + name)]
    if named:
        return len(named) == 1
    begun = [each for each in node.occupants if each.id.startswith(reference) or each.swarm_id.startswith(reference)]
    return len(begun) == 1


def compared_by_affinity(node: NodeFacts, key: str) -> list[str]:
    texts: list[str] = []
    if key == "container":
        for occupant in node.occupants:
            if occupant.name:
                texts += [occupant.id, occupant.name]
    elif key == "image":
        for image in node.images:
            texts += [image.id, *image.tags]
            for tag in image.tags:
                before, _, after = tag.rpartition(":")
                texts.append(tag if "/" in after or not before else before)
    else:
        texts = [occupant.labels.get(key, "") for occupant in node.occupants]
    return texts


def compared_by_constraint(node: NodeFacts, key: str) -> list[str]:
    return [node.id, node.name] if key == "node" else [node.labels.get(key, "")]


def holds(expression: Expression, texts: list[str]) -> bool:
    found = False
    for text in texts:
        found = found or expression.matcher(text)
    return found == (expression.op == "==")


def weighed(node: NodeFacts, wish: Wish, options: PlacementOptions) -> int | None:
    """The weight, None without room. Random weighs nothing and, unless rooms are exact, asks for no room."""
    wanted, used, total = wish.reservation, node.reserved, node.capacity
    generic_used, generic_total = dict(used.generic), dict(total.generic)
    for kind, amount in wanted.generic:
        if generic_used.get(kind, 0) + amount > generic_total.get(kind, 0):
            return None
    pairs = [
        (wanted.nano_cpus, used.nano_cpus, total.nano_cpus),
        (wanted.memory_bytes, used.memory_bytes, total.memory_bytes),
    ]
    if options.exact:
        kinds = {*generic_used, *generic_total}
        if any(generic_used.get(kind, 0) > generic_total.get(kind, 0) for kind in kinds):
            return None
        if any(amount + so_far > at_most for amount, so_far, at_most in pairs):
            return None
    if options.strategy == "random":
        return 0
    scores = [100 if not amount else share(amount + so_far, at_most) for amount, so_far, at_most in pairs]
    if max(scores) > 100:
        return None
    if options.strategy in ("busiest", "oldest"):
        return 0
    return scores[0] + scores[1] + {"spread": -10, "binpack": 10}[options.strategy] * node.health


def share(amount: int, total: int) -> int:
    return amount * 100 // total if total else 101


def order(
    node: NodeFacts, weight: int, cluster: list[NodeFacts], wish: Wish, options: PlacementOptions
) -> tuple[int, int, float, bool]:
    """Sorts the nodes that may take the wish, best first; of equals the seed takes one, in the order of names."""
    crowd = 0
    if options.balance_over:
        zone = node.labels.get(options.balance_over, "")
        crowd = sum(each.containers for each in cluster if each.labels.get(options.balance_over, "") == zone)
    missing = options.prefer_local_images and not has_image(node, wish.image)
    if options.strategy == "oldest":
        return crowd, 0, node.node.created_at, missing
    sign = {"spread": 1, "binpack": -1, "random": 0, "busiest": -1}[options.strategy]
    return crowd, sign * weight, sign * node.containers, missing


def bits(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def has_image(node: NodeFacts, wanted: str) -> bool:
    if not wanted:
        return False
    wanted = wanted.removeprefix("docker.io/").removeprefix("library/")
    if ":" not in wanted.rsplit("/", 1)[-1] and "@" not in wanted:
        wanted += ":latest"
    return any(wanted in (image.id, *image.tags) for image in node.images)
