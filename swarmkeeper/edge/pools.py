"""The configured pools as domain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from swarmkeeper.domain.losses import LossFuse, LossPolicy
from swarmkeeper.domain.model import Pool, PoolName, Resources, Role
from swarmkeeper.domain.pools import PoolPlan
from swarmkeeper.edge.requests import GPU, Admission
from swarmkeeper.edge.settings import PoolSettings, Settings


def group_name(fleet: str, pool: str) -> str:
    """The pool's Auto Scaling group; the template names it with this too."""
    return f"{fleet}-{pool}"


def admission_of(settings: Settings, network: str) -> Admission:
    """What the fleet takes, and which of its pools of workers allow what."""
    pools = {name: settings.admission_of(name) for name in settings.pools_of(Role.WORKER)}
    has_shared_volumes = settings.volumes.shared is not None
    return Admission(
        network,
        settings.placement.default_memory,
        pools,
        has_shared_volumes=has_shared_volumes,
        windows=settings.windows_pools,
        has_tenant_networks=settings.network.isolation == "tenant",
        registry=settings.images.registry,
    )


def pool_plans(settings: Settings, type_capacity: Callable[[str], Resources]) -> Mapping[PoolName, PoolPlan]:
    """All pools; a pool of several instance types is sized by the smallest, amount by amount."""
    return {PoolName(name): _plan(settings, name, pool, type_capacity) for name, pool in settings.pools.items()}


def loss_fuse(settings: Settings) -> LossFuse:
    """How many workers may be declared lost."""
    most = settings.failures.max_lost
    if most.share is None:
        return LossFuse(nodes=most.nodes, window_s=float(most.window))
    return LossFuse(share=most.share, window_s=float(most.window))


def _plan(settings: Settings, name: str, pool: PoolSettings, type_capacity: Callable[[str], Resources]) -> PoolPlan:
    whole = smallest([type_capacity(kind) for kind in pool.instance_types])
    overcommit = settings.placement.overcommit
    plan = PoolPlan(
        pool=Pool(
            name=PoolName(name),
            role=pool.role,
            group=group_name(settings.fleet, name),
            min=pool.min,
            max=pool.max,
            node_capacity=Resources(),
            slots=pool.slots,
            labels=_labels(name, pool),
            price_per_hour=pool.price,
        ),
        system_reserve=pool.system_reserve.resources,
        cpu_overcommit=overcommit.cpus,
        memory_overcommit=overcommit.memory,
        launch_limit_s=float(pool.launch_limit),
        drain_limit_s=float(pool.drain_limit),
        generic=Resources.of(generic={GPU: pool.gpus}).generic,
        images=pool.images,
        losses=LossPolicy(
            grace_s=float(pool.failure_grace),
            waits=pool.on_failure == "wait",
            return_limit_s=float(pool.return_limit),
        ),
    )
    return plan.with_node_capacity(plan.offered(whole))


def _labels(name: str, pool: PoolSettings) -> dict[str, str]:
    """What is known of the labels of the pool's nodes before there is one."""
    known = {**pool.labels, "pool": name, "lifecycle": pool.purchase, "ostype": pool.os}
    return known | {"instance-type": pool.instance_types[0]} if len(pool.instance_types) == 1 else known


def smallest(capacities: list[Resources]) -> Resources:
    """The least CPU and the least memory of several machines."""
    return Resources(min(each.nano_cpus for each in capacities), min(each.memory_bytes for each in capacities))
