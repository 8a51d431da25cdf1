"""Rules of swarmkeeper.yaml that look at more than one field; each yields what it finds wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations, product
from typing import TYPE_CHECKING

from swarmkeeper.domain.model import Role

if TYPE_CHECKING:
    from swarmkeeper.edge.settings import PoolSettings, Settings
    from swarmkeeper.edge.settings_admission import AdmissionSettings, QuotaSettings
    from swarmkeeper.edge.settings_scaling import PoolScaling, ScalingSettings

Path = tuple[str | int, ...]

ENGINE_RANGES = {
    "the engines' default bridge": IPv4Network("172.17.0.0/16"),
    "the engines' gateway bridge": IPv4Network("172.18.0.0/16"),
}
"""What every node's daemon.json sets; the user data and this table must say the same (a test compares them)."""

MANAGER_COUNTS = frozenset({1, 3, 5})

LEAST_TENANTS = 2
SWARMS_OWN_PREFIX = 24
"""Of the networks that the Swarm cuts from its pool where tenants have none."""
OVERLAY_MARGIN = 8
"""Addresses of an overlay that stay free: its gateway, network and broadcast, and moves under way."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the field at `path`."""

    path: Path
    text: str


def pool_limits(pool: PoolSettings) -> Iterator[Problem]:
    """min, max and instance types of one pool."""
    if pool.min > pool.max:
        yield Problem(("min",), f"{pool.min} is above max {pool.max}")
    if pool.max < 1:
        yield Problem(("max",), f"{pool.max} is below 1")
    if pool.role is Role.MANAGER:
        yield from _manager_count(pool)
        if pool.purchase == "spot":
            yield Problem(("purchase",), "spot: a manager that AWS takes back may cost the Swarm its quorum")
        if pool.max_lifetime is not None:
            yield Problem(("max_lifetime",), "managers are not replaced by age: that is their quorum's matter")
        if pool.scaling.model_fields_set:
            yield Problem(("scaling",), "managers are not sized by demand")
    if len({architecture(kind) for kind in pool.instance_types}) > 1:
        yield Problem(("instance_types",), "mixes x86_64 and arm64; one image can't start on both")


def _manager_count(pool: PoolSettings) -> Iterator[Problem]:
    """Their number is fixed, as a quorum is reckoned with it; more than five only slow the Swarm's store down."""
    for limit, count in (("min", pool.min), ("max", pool.max)):
        if count not in MANAGER_COUNTS:
            yield Problem((limit,), f"{count} managers: 1, 3 or 5 keep a quorum; an even number bears no more losses")
    if pool.min != pool.max and {pool.min, pool.max} <= MANAGER_COUNTS:
        yield Problem(("min",), f"{pool.min} is not max {pool.max}: the number of managers is fixed")


def windows_pool(pool: PoolSettings) -> Iterator[Problem]:
    """What a pool of Windows nodes can't be."""
    if pool.os != "windows":
        return
    if pool.role is Role.MANAGER:
        yield Problem(("os",), "windows: managers run on Linux")
    if architecture(pool.instance_types[0]) != "x86_64":
        yield Problem(("instance_types",), "arm64: Windows nodes are x86_64")
    if pool.node_image is None:
        yield Problem(("node_image",), "is missing: a Windows image with an engine (docs/windows.md) is yours to bake")
    if pool.gpus:
        yield Problem(("gpus",), "are not offered on Windows nodes")
    if pool.admission.model_fields_set - {"host_ports"}:
        yield Problem(("admission",), "only host_ports may be allowed on Windows nodes")


def pool_roles(pools: Iterable[PoolSettings]) -> Iterator[Problem]:
    """There is one pool of workers at least."""
    if Role.WORKER not in [pool.role for pool in pools]:
        yield Problem(("pools",), "no pool has the role worker; containers are placed on workers only")


def shares(low: float, high: float) -> Iterator[Problem]:
    """The share at which a pool shrinks is below the one at which it grows."""
    if low >= high:
        yield Problem(("reserved_low",), f"{low:g} is not below reserved_high {high:g}")


def pool_scaling(scaling: ScalingSettings, pools: Mapping[str, PoolSettings]) -> Iterator[Problem]:
    """Each pool of workers with the fleet's settings and its own."""
    for name, pool in pools.items():
        if pool.role is Role.MANAGER:
            continue
        own: Path = ("pools", name, "scaling")
        merged = pool.scaling.over(scaling)
        for problem in (*shares(merged.reserved_low, merged.reserved_high), *_reachable(name, pool, merged)):
            is_own = problem.path[0] in pool.scaling.model_fields_set or problem.path[0] == "reserved_low"
            yield Problem(((*own, *problem.path) if is_own else ("scaling", *problem.path)), problem.text)


def _reachable(name: str, pool: PoolSettings, scaling: PoolScaling) -> Iterator[Problem]:
    """What is wished for may come true within the pool's limits."""
    for index, schedule in enumerate(scaling.schedules):
        if schedule.min > pool.max:
            yield Problem(("schedules", index, "min"), f"{schedule.min} is above max {pool.max} of pool {name}")
    headroom = scaling.arrival_headroom
    for path, boot_time in (
        (("arrival_headroom", "boot_time"), headroom.boot_time if headroom else 0),
        (("forecast", "boot_time"), scaling.forecast.boot_time if scaling.forecast.enabled else 0),
    ):
        if boot_time > pool.launch_limit:
            text = f"{boot_time}s is above the launch_limit of pool {name}, {pool.launch_limit}s, when it is given up"
            yield Problem(path, text)


def prices(scaling: ScalingSettings, pools: Mapping[str, PoolSettings]) -> Iterator[Problem]:
    """Every pool of workers has a price or none has: one without would always be the cheapest."""
    workers = {name: pool for name, pool in pools.items() if pool.role is Role.WORKER}
    why = "scaling.budget_per_hour counts it" if scaling.budget_per_hour is not None else "another pool has one"
    if scaling.budget_per_hour is None and not any(pool.price for pool in workers.values()):
        return
    for name, pool in workers.items():
        if not pool.price:
            yield Problem(("pools", name, "price"), f"is missing: {why}")


def budget(scaling: ScalingSettings, pools: Mapping[str, PoolSettings]) -> Iterator[Problem]:
    """A budget pays for the least of each pool."""
    least = sum(pool.min * pool.price for pool in pools.values() if pool.role is Role.WORKER)
    if scaling.budget_per_hour is not None and least > scaling.budget_per_hour:
        text = f"{scaling.budget_per_hour:g} is below {least:g}, the price of the pools' min"
        yield Problem(("scaling", "budget_per_hour"), text)


def address_ranges(vpc_cidr: IPv4Network, overlay_pool: IPv4Network, fleet_subnet: IPv4Network) -> Iterator[Problem]:
    """No two address ranges overlap, or packets go to the wrong network without an error."""
    named = {"vpc_cidr": vpc_cidr, "overlay_pool": overlay_pool, "fleet_subnet": fleet_subnet}
    for (one, first), (other, second) in combinations(named.items(), 2):
        if first.overlaps(second):
            yield Problem((other,), f"{second} overlaps {one} {first}")
    for (field, given), (what, taken) in product(named.items(), ENGINE_RANGES.items()):
        if given.overlaps(taken):
            yield Problem((field,), f"{given} overlaps {what} {taken}")


def overlay_size(isolation: str, subnet: IPv4Network, pools: Iterable[PoolSettings]) -> Iterator[Problem]:
    """The fleet's overlay holds every container that the slots allow, one endpoint a node, and a margin.

    A pool without the label `containerslots` counts one container a node: what more it holds is not known here. Where
    tenants have networks of their own, routers alone are on the fleet's.
    """
    listed = tuple(pools)
    nodes = sum(pool.max for pool in listed)
    workers = [pool for pool in listed if pool.role is Role.WORKER]
    if isolation == "tenant":
        held, kind = sum(pool.max for pool in workers), "routers"
    else:
        held = sum(pool.max * (1 if pool.slots is None else max(pool.slots, 0)) for pool in workers)
        kind = "containers"
    needed = held + nodes + OVERLAY_MARGIN
    if needed > subnet.num_addresses:
        text = f"{subnet} has {subnet.num_addresses} addresses; {held} {kind} and {nodes} nodes need {needed}"
        yield Problem(("network", "fleet_subnet"), text)


def room_for_tenants(isolation: str, pool: IPv4Network, prefix: int) -> Iterator[Problem]:
    """The pool holds the networks of two tenants at least beside the Swarm's ingress, which takes the first."""
    networks = 2 ** max(0, prefix - pool.prefixlen)
    if isolation == "tenant" and networks <= LEAST_TENANTS:
        text = f"{prefix}: overlay_pool {pool} holds {networks} such networks, of which the Swarm takes one"
        yield Problem(("tenant_prefix",), text)


def quotas_in_networks(settings: Settings) -> Iterator[Problem]:
    """No tenant may be promised more containers than its network has addresses; each node takes two of them."""
    if settings.network.isolation == "fleet":
        return
    workers = sum(pool.max for pool in settings.pools_of(Role.WORKER).values())
    room = 2 ** (32 - settings.network.tenant_prefix) - OVERLAY_MARGIN - 2 * workers
    quotas: list[tuple[Path, QuotaSettings | None]] = [(("tenants", "quota"), settings.tenants.quota)]
    quotas += [(("tenants", "known", name, "quota"), each.quota) for name, each in settings.tenants.known.items()]
    for path, quota in quotas:
        if quota is not None and quota.containers is not None and quota.containers > room:
            text = f"{quota.containers} of a tenant: its network has room for {room} (network.tenant_prefix)"
            yield Problem((*path, "containers"), text)


def router_port(port: int, admission: AdmissionSettings, pools: Mapping[str, PoolSettings]) -> Iterator[Problem]:
    """No container may publish the port on which each node's router listens."""
    places: list[tuple[Path, AdmissionSettings]] = [(("admission",), admission)]
    places += [(("pools", name, "admission"), pool.admission) for name, pool in pools.items()]
    for path, allowed in places:
        if allowed.allows_port(port):
            yield Problem((*path, "host_ports"), f"holds {port}, where the routers listen (network.router_port)")


def images_without_internet(egress: str, pools: Mapping[str, PoolSettings]) -> Iterator[Problem]:
    """Without a way to the internet an instance can't fetch what a stock image lacks."""
    for name, pool in pools.items():
        if egress == "endpoints" and pool.node_image is None:
            text = "network.egress is endpoints: user data can't install the engine, so give an image that has it"
            yield Problem(("pools", name, "node_image"), text)


def tenants_apart(isolation: str, pools: Mapping[str, PoolSettings]) -> Iterator[Problem]:
    """A Windows node has neither the router that reaches tenants' networks nor the rules that guard the nodes."""
    if isolation == "tenant" and (windows := [name for name, pool in pools.items() if pool.os == "windows"]):
        text = f"tenant: pools of Windows nodes ({', '.join(windows)}) need fleet"
        yield Problem(("network", "isolation"), text)


def encrypted_for_all(encrypted: bool, pools: Mapping[str, PoolSettings]) -> Iterator[Problem]:
    """Docker's encrypted overlay networks don't reach Windows nodes."""
    if encrypted and (windows := [name for name, pool in pools.items() if pool.os == "windows"]):
        yield Problem(
            ("network", "encrypted"), f"true: Windows nodes ({', '.join(windows)}) have no encrypted networks"
        )


def architecture(instance_type: str) -> str:
    """`arm64` or `x86_64`: AWS marks Graviton by a g after the generation, as in `t4g` or `c7gn`."""
    family = instance_type.partition(".")[0]
    after_generation = family.lstrip("abcdefghijklmnopqrstuvwxyz").lstrip("0123456789")
    return "arm64" if after_generation.startswith("g") or family == "a1" else "x86_64"
