"""When a silent node is declared lost, and when a lost one's instance is ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, Node, NodeId, Role

IN_SERVICE = frozenset({NodeState.READY, NodeState.DRAINING})
"""The states in which silence means anything: before, a join has limits of its own; after, an end."""


@dataclass(frozen=True, slots=True)
class LossPolicy:
    """How a pool deals with its silent nodes, all in seconds.

    `grace_s`: how long a node must have been silent. `waits`: whether a lost node that holds what can't be moved is
    waited for, `return_limit_s` at the most.
    """

    grace_s: float = 60.0
    waits: bool = True
    return_limit_s: float = 600.0


NORMAL = LossPolicy()


@dataclass(frozen=True, slots=True)
class LossFuse:
    """At most so many workers, or this share of them, but one at least, are declared lost within `window_s`."""

    nodes: int | None = None
    share: float = 0.34
    window_s: float = 600.0

    def most(self, workers: int) -> int:
        return self.nodes if self.nodes is not None else max(1, int(workers * self.share))


def refusal(fuse: LossFuse, node: Node, nodes: Iterable[Node], losses: Mapping[NodeId, float], now: float) -> str:
    """Why the node must not be declared lost; "" when it may. `losses` tells when others were, buried ones included.

    Where every worker is silent it is we that are cut off, or the managers. A loss that is told already counts once.
    """
    workers = [each for each in nodes if each.role is Role.WORKER and each.state in {*IN_SERVICE, NodeState.LOST}]
    heard = [each for each in workers if each.suspected_at is None and each.state is not NodeState.LOST]
    if len(workers) > 1 and not heard:
        return f"all {len(workers)} workers are silent: more likely we or the managers are cut off"
    recent = {each for each, at in losses.items() if now < at + fuse.window_s} - {node.id}
    most = fuse.most(len(workers))
    if len(recent) >= most:
        return f"{len(recent)} of {len(workers)} workers were lost within {fuse.window_s:g} s, and {most} may be"
    return ""


def kept_for_return(node: Node, containers: Sequence[Container]) -> tuple[Container, ...]:
    """Those of a node's containers that would lose what they have written when its instance ends."""
    return tuple(each for each in containers if each.node == node.id and _has_data(each))


def loses_layer(node: Node, container: Container) -> bool:
    """Whether what it has written since its layer was saved last goes with the node, though it was to be kept."""
    is_there = container.node == node.id and container.state is not ContainerState.REMOVING
    return is_there and container.request.keeps_layer and container.started_at is not None and not container.is_saved


def waits_until(node: Node, kept: Sequence[Container], policy: LossPolicy) -> float | None:
    """Until when a lost node is waited for; None: not at all."""
    return node.state_since + policy.return_limit_s if kept and policy.waits else None


def _has_data(container: Container) -> bool:
    has_run = container.started_at is not None
    return has_run and not container.request.movable and container.state is not ContainerState.REMOVING
