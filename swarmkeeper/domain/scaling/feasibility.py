"""Whether the fleet could ever hold a request, however empty its nodes and however many of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NO_RESOURCES, Node, Pool, Request
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.filters import (
    Filter,
    first_rejection,
    has_free_resources,
    has_free_slot,
    is_whitelisted,
    is_worker,
    meets_constraints,
)
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.reasons import Reason, Rejection
from swarmkeeper.domain.placement.wish import Wish, wish_of
from swarmkeeper.domain.scaling.demand import new_node
from swarmkeeper.domain.scaling.learnt import LEARNT_LABELS

LASTING: tuple[Filter, ...] = (is_worker, has_free_slot, meets_constraints, is_whitelisted, has_free_resources)
"""What no departure and no arrival of other containers can change, unlike ports, dependencies and affinities."""


def why_never(request: Request, pools: Iterable[Pool], nodes: Iterable[Node], options: PlacementOptions) -> str:
    """Why neither a new node of any pool nor a present one, emptied, could hold the request; "" when one could.

    Soft expressions are dropped, as they would be, and what a new node's labels will be is not known before it has
    joined. Raises InvalidExpression.
    """
    wish = wish_of(request, options).hard_only()
    refusals: list[tuple[str, Rejection]] = []
    for pool in pools:
        refusal = first_rejection(NodeFacts(new_node(pool, 0)), _without_learnt(wish, pool), LASTING)
        if refusal is None:
            return ""
        refusals.append((f"pool {pool.name}", refusal))
    for node in nodes:
        if node.state is not NodeState.GONE and first_rejection(NodeFacts(_emptied(node)), wish, LASTING) is None:
            return ""
    return _told(refusals)


def _without_learnt(wish: Wish, pool: Pool) -> Wish:
    unknown = LEARNT_LABELS - pool.labels.keys()
    return replace(wish, constraints=tuple(each for each in wish.constraints if each.key not in unknown))


def _emptied(node: Node) -> Node:
    return replace(node, reserved=NO_RESOURCES, containers=0)


def _told(refusals: Sequence[tuple[str, Rejection]]) -> str:
    """The pools' reasons; those of managers' pools, which hold no containers, only when there are no others."""
    of_workers = [each for each in refusals if each[1].reason is not Reason.ROLE]
    shown = of_workers or list(refusals)
    texts = Counter(f"{where}: {refusal}" for where, refusal in shown)
    return "; ".join(texts) or "the fleet has no pools"
