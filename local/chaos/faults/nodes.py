"""Faults of nodes: engines that die, stop or fail, partitions, instances that end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

from botocore.exceptions import ClientError

from local.chaos.faults.kinds import Injected, Injector, nothing
from local.chaos.hands import Side
from local.chaos.healing import NodeHealed, WorkDone
from local.chaos.plan import Kind, Planned
from local.chaos.snapshot import Snapshot
from local.chaos.stage import Stage, joining, managers, workers


def _hit(
    begin: Callable[[Stage, str], None],
    end: Callable[[Stage, str], None] | None,
    stage: Stage,
    node: str,
    seen: Snapshot,
) -> Injected:
    """A fault of one node that heals when the node and all that ran on it are back, or have been replaced."""
    healing = NodeHealed(node, seen, returns=end is not None)
    return Injected(
        target=node,
        begin=partial(begin, stage, node),
        end=nothing if end is None else partial(end, stage, node),
        healing=lambda *_: healing,
        hits_node=True,
    )


def _on_a_worker(begin: Callable[[Stage, str], None], end: Callable[[Stage, str], None] | None = None) -> Injector:
    return _on_one(workers, begin, end)


def _on_one(
    those: Callable[[Snapshot, Collection[str]], list[str]],
    begin: Callable[[Stage, str], None],
    end: Callable[[Stage, str], None] | None = None,
) -> Injector:
    def inject(stage: Stage, planned: Planned, seen: Snapshot, hit: Collection[str]) -> Injected | None:
        if not (fit := those(seen, hit)):
            return None
        made = _hit(begin, end, stage, planned.choice(fit), seen)
        return made if end is None else _lasting(made, planned.lasts_s)

    return inject


def _lasting(made: Injected, lasts_s: float) -> Injected:
    return Injected(made.target, made.begin, made.healing, made.end, lasts_s, hits_node=made.hits_node)


def _refusing(operation: str, message: str) -> Injector:
    """An engine that fails one operation for a while: the node serves on, and what was to run there runs elsewhere."""

    def inject(stage: Stage, planned: Planned, seen: Snapshot, hit: Collection[str]) -> Injected | None:
        if not (fit := workers(seen, hit)):
            return None
        node = planned.choice(fit)
        return Injected(
            target=node,
            begin=partial(stage.hands.refuse, node, operation, message),
            end=partial(stage.hands.obey, node),
            healing=WorkDone,
            lasts_s=planned.lasts_s,
            hits_node=True,
        )

    return inject


def _terminate(stage: Stage, node: str) -> None:
    stage.cloud.server.client("ec2").terminate_instances(InstanceIds=[node])


def _before_join(stage: Stage, planned: Planned, seen: Snapshot, hit: Collection[str]) -> Injected | None:
    """One that is on its way; where there is none the first group of workers is asked for one more."""
    if fit := joining(seen, hit):
        return _hit(_terminate, None, stage, planned.choice(fit), seen)
    group = next(
        (one for one in seen.groups if f"{stage.cloud.settings.fleet}-{one.pool}" in stage.workers_groups), None
    )
    if group is not None and group.desired < group.most:
        name = f"{stage.cloud.settings.fleet}-{group.pool}"
        client = stage.cloud.server.client("autoscaling")
        try:
            client.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=group.desired + 1)
        except ClientError:  # the scaler was faster; the next look tries again
            return None
    return None


INJECTORS: Mapping[Kind, Injector] = {
    Kind.ENGINE_KILLED: _on_a_worker(lambda stage, node: stage.hands.kill(node)),
    Kind.ENGINE_STOPPED: _on_a_worker(
        lambda stage, node: stage.hands.stop(node), lambda stage, node: stage.hands.mend(node)
    ),
    Kind.MANAGER_KILLED: _on_one(managers, lambda stage, node: stage.hands.kill(node)),
    Kind.PARTED: _on_a_worker(
        lambda stage, node: stage.hands.part(node, Side.EVERYBODY), lambda stage, node: stage.hands.mend(node)
    ),
    Kind.PARTED_FROM_FUNCTIONS: _on_a_worker(
        lambda stage, node: stage.hands.part(node, Side.FUNCTIONS), lambda stage, node: stage.hands.mend(node)
    ),
    Kind.PARTED_FROM_MANAGERS: _on_a_worker(
        lambda stage, node: stage.hands.part(node, Side.MANAGERS), lambda stage, node: stage.hands.mend(node)
    ),
    Kind.TERMINATED: _on_a_worker(_terminate),
    Kind.TERMINATED_EARLY: _before_join,
    Kind.DISK_FULL: _refusing("create", "write /var/lib/docker/tmp: no space left on device"),
    Kind.OUT_OF_MEMORY: _refusing("start", "failed to create shim task: fork/exec: cannot allocate memory"),
}
