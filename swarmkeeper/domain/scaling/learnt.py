"""What is known of a pool's next nodes beyond its configuration: labels that a node has only once it has joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node, Pool

ZONE = "zone"
OF_MACHINES = frozenset({"operatingsystem", "kernelversion", "storagedriver"})
"""Labels that any node's engine tells; those of the pool's own nodes are believed first."""
OF_POOLS = frozenset({"instance-type"})
"""Labels in which pools differ."""
LEARNT_LABELS = OF_MACHINES | OF_POOLS | {ZONE}
"""Nobody can say before a node has joined that it won't have one of these values."""


def with_learnt_labels(pool: Pool, nodes: Sequence[Node]) -> Pool:
    """The pool as its next nodes will probably be, judged by the nodes in service; its own labels go first.

    A group uses the zone next in which it has the fewest instances.
    """
    serving = sorted((each for each in nodes if each.state is NodeState.READY), key=lambda each: each.created_at)
    own = [each for each in serving if each.pool == pool.name]
    learnt = {key: each.labels[key] for each in serving for key in OF_MACHINES if key in each.labels}
    learnt |= {key: each.labels[key] for each in own for key in OF_MACHINES | OF_POOLS if key in each.labels}
    return replace(pool, labels={**learnt, **pool.labels}, zones=_next_zones(serving, own))


def _next_zones(serving: Sequence[Node], own: Sequence[Node]) -> tuple[str, ...]:
    known = {each.labels[ZONE] for each in serving if each.labels.get(ZONE)}
    used = Counter(each.labels.get(ZONE) for each in own)
    return tuple(sorted(known, key=lambda zone: (used[zone], zone)))
