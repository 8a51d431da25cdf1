"""swarmkeeper.yaml: its shape, what is refused, and how it travels to the functions as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from swarmkeeper.domain.model import PoolName, Role
from swarmkeeper.edge.quantities import Bytes, Seconds
from swarmkeeper.edge.settings_account import AccountSettings
from swarmkeeper.edge.settings_admission import AdmissionSettings, TenantSettings
from swarmkeeper.edge.settings_entry import Domain, EntrySettings
from swarmkeeper.edge.settings_failures import FailureSettings, Grace, OnFailure, ReturnLimit
from swarmkeeper.edge.settings_fields import (
    Amount,
    Count,
    Flag,
    ImageReference,
    InstanceType,
    Isolation,
    LabelKey,
    LabelValue,
    Name,
    NodeImage,
    Number,
    OverlayPool,
    OverlaySubnet,
    RegistryAddress,
    Strict,
    VpcRange,
    broken,
)
from swarmkeeper.edge.settings_joining import JoiningSettings, PoolImage
from swarmkeeper.edge.settings_monitoring import MonitoringSettings
from swarmkeeper.edge.settings_retained import RetainedState, manager_pools, retaining_pool
from swarmkeeper.edge.settings_rules import (
    SWARMS_OWN_PREFIX,
    Problem,
    address_ranges,
    architecture,
    budget,
    encrypted_for_all,
    images_without_internet,
    overlay_size,
    pool_limits,
    pool_roles,
    pool_scaling,
    prices,
    quotas_in_networks,
    room_for_tenants,
    router_port,
    tenants_apart,
    windows_pool,
)
from swarmkeeper.edge.settings_scaling import PoolScaling, PoolScalingOverrides, ScalingSettings
from swarmkeeper.edge.settings_volumes import VolumeSettings
from swarmkeeper.errors import InvalidInput

HOOK_CEILING_S = 48 * 3600
"""A lifecycle action ends at the latest after 48 hours or 100 heartbeat time-outs, whichever comes first."""
HOOK_HEARTBEATS = 100
FIRST_FREE_PORT = 1024
"""Below it only root may listen."""
OF_THE_TEMPLATE: Mapping[str, Mapping[str, bool] | bool] = {
    "account": True,
    "monitoring": True,
    "network": {"entry": True, "egress": True, "access_log": True, "body_limit": True},
    "images": {"join": True, "router": True, "registry_host": True},
}
"""The parts that no function reads; a parameter of Systems Manager holds 8 KB."""


class SettingsError(InvalidInput):
    """swarmkeeper.yaml is refused; one line a problem: `file:line: field: what is wrong`."""

    def __init__(self, file: str, faults: list[tuple[int, Problem]]) -> None:
        first = faults[0][1]
        super().__init__(_dotted(first), first.text)
        self.lines = tuple(f"{file}:{line}: {_dotted(problem)}: {problem.text}" for line, problem in faults)

    def __str__(self) -> str:
        return "\n".join(self.lines)


class NetworkSettings(Strict):
    """The address ranges and the name that containers are reached under."""

    vpc_cidr: VpcRange
    overlay_pool: OverlayPool
    fleet_subnet: OverlaySubnet
    isolation: Isolation = "tenant"
    """Whether each tenant's containers have a network of their own, or all share the fleet's."""
    tenant_prefix: Annotated[Count, Field(ge=20, le=26)] = 22
    """The size of a tenant's network, as the length of its prefix: 22 holds 1,022 addresses; for a new Swarm."""
    encrypted: Flag = False
    """Whether what containers send between nodes is encrypted (IPsec); for a new fleet, without Windows nodes."""
    domain: Domain
    router_port: Annotated[Count, Field(ge=1024, le=32767)] = 8080
    egress: Literal["nat", "endpoints"] = "nat"
    """How nodes and functions reach AWS: over NAT to all of the internet, or over endpoints to AWS's services alone."""
    entry: EntrySettings = EntrySettings()
    access_log: Flag = True
    """Whether routers write a line for each request; it stays on the node, in 30 MB at most."""
    body_limit: Annotated[Bytes, Field(ge=2**20, le=2**40)] = 2**30
    """The largest body that a request to a container may have; a larger one is refused with 413."""

    @model_validator(mode="after")
    def _ranges_are_apart(self) -> Self:
        broken((*address_ranges(self.vpc_cidr, self.overlay_pool, self.fleet_subnet), *self._domain_in_zone()))
        broken(room_for_tenants(self.isolation, self.overlay_pool, self.tenant_prefix))
        return self

    @property
    def cut_prefix(self) -> int:
        """The length of the prefix of each network that the Swarm cuts from its pool."""
        return self.tenant_prefix if self.isolation == "tenant" else SWARMS_OWN_PREFIX

    def _domain_in_zone(self) -> Iterator[Problem]:
        zone = self.entry.hosted_zone
        if zone is not None and self.domain != zone.name and not self.domain.endswith(f".{zone.name}"):
            yield Problem(("domain",), f"{self.domain} does not lie in the hosted zone {zone.name}")


class Overcommit(Strict):
    """How many times a node's capacity may be reserved."""

    cpus: Annotated[Number, Field(gt=0, le=100)] = 1.0
    memory: Annotated[Number, Field(gt=0, le=10)] = 1.0


class PlacementSettings(Strict):
    """Where containers go; docs/placement.md tells what each setting means."""

    strategy: Literal["spread", "binpack", "random", "busiest", "oldest"] = "spread"
    overcommit: Overcommit = Overcommit()
    balance_over: LabelKey | Literal[""] = ""
    """A node label, such as `zone`, over whose values containers are balanced before the strategy ranks nodes."""
    prefer_local_images: Flag = False
    """Whether a node that holds the image comes first among equals."""
    ports_by_protocol: Flag = False
    """Whether 53/udp and 53/tcp may stand side by side on a node."""
    default_memory: Annotated[Bytes, Field(ge=6 * 2**20)] = 256 * 2**20
    """The memory limit, and reservation, of a container that asks for none; Docker's own least limit is 6 MiB."""


class PoolSettings(Strict):
    """One Auto Scaling group of like nodes."""

    role: Role
    os: Literal["linux", "windows"] = "linux"
    instance_types: Annotated[tuple[InstanceType, ...], Field(min_length=1, max_length=20)]
    min: Annotated[Count, Field(ge=0, le=1000)]
    max: Annotated[Count, Field(ge=0, le=1000)]
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    system_reserve: Amount = Amount()
    drain_limit: Annotated[Seconds, Field(ge=60, lt=HOOK_CEILING_S)] = 1800
    max_lifetime: Annotated[Seconds, Field(ge=86_400, le=365 * 86_400)] | None = None
    """The age at which a node is replaced whatever it holds; Auto Scaling's own bounds."""
    launch_limit: Annotated[Seconds, Field(ge=30, le=7200)] = 600
    failure_grace: Grace = 60
    """How long a node must have been down in the Swarm and silent before it is declared lost."""
    on_failure: OnFailure = "wait"
    """Whether a lost node that holds unmovable containers is waited for, or ended at once like others."""
    return_limit: ReturnLimit = 600
    """How long it is waited for."""
    node_image: NodeImage | None = None
    images: Annotated[tuple[PoolImage, ...], Field(max_length=20)] = ()
    """What a node has pulled before it is called ready."""
    gpus: Annotated[Count, Field(ge=0, le=64)] = 0
    """GPUs that a node offers for reservations."""
    admission: AdmissionSettings = AdmissionSettings()
    """What this pool allows beyond what the whole fleet does."""
    price: Annotated[Number, Field(ge=0)] = 0.0
    """What one node costs an hour, in whatever currency; the cheapest pool that fits is grown."""
    purchase: Literal["on-demand", "spot"] = "on-demand"
    retain_state: RetainedState | None = None
    """A fixed address and a volume for the Swarm's state that outlive the instance; for a pool of one manager."""
    scaling: PoolScalingOverrides = PoolScalingOverrides()
    """What this pool has of its own where the fleet's scaling says otherwise."""

    @model_validator(mode="after")
    def _limits_make_sense(self) -> Self:
        broken((*pool_limits(self), *windows_pool(self), *retaining_pool(self)))
        return self

    @property
    def slots(self) -> int | None:
        """How many containers a node takes, as the label `containerslots` says it (None: no limit)."""
        text = self.labels.get("containerslots", "")
        return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None

    @property
    def architecture(self) -> str:
        """`arm64` or `x86_64`, the same for all its instance types."""
        return architecture(self.instance_types[0])

    @property
    def leave_heartbeat_s(self) -> int:
        """The leave hook's heartbeat time-out: 100 of them outlast the drain twice; 5 minutes to 2 hours."""
        return min(7200, max(300, self.drain_limit * 2 // HOOK_HEARTBEATS))


class ImageSettings(Strict):
    """The images that nodes run, by digest; None leaves them to the deployment's parameters."""

    join: ImageReference | None = None
    router: ImageReference | None = None
    registry: RegistryAddress | None = None
    """The fleet's own registry, `host:port`, which nodes trust and log in to; null: they log in to ECR alone."""
    registry_host: ImageReference | None = None
    """The registry's own image, by digest: the stack then makes a bucket and all else that its host needs."""

    @model_validator(mode="after")
    def _a_host_has_an_address(self) -> Self:
        port = int((self.registry or "").partition(":")[2] or 0)
        if self.registry_host and port < FIRST_FREE_PORT:
            text = f"goes with registry, whose port is {FIRST_FREE_PORT} or above: it runs as nobody"
            broken([Problem(("registry_host",), text)])
        return self


class DrainSettings(Strict):
    """How nodes are emptied."""

    snapshot_limit: Annotated[Bytes, Field(ge=2**20)] = 2**30
    """The largest own layer that a container's move carries over; one with a larger layer is waited for."""


class Settings(Strict):
    """swarmkeeper.yaml as a whole."""

    fleet: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,20}$")]
    network: NetworkSettings
    placement: PlacementSettings = PlacementSettings()
    pools: Annotated[dict[Name, PoolSettings], Field(min_length=1)]
    scaling: ScalingSettings = ScalingSettings()
    images: ImageSettings = ImageSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    joining: JoiningSettings = JoiningSettings()
    failures: FailureSettings = FailureSettings()
    drain: DrainSettings = DrainSettings()
    volumes: VolumeSettings = VolumeSettings()
    admission: AdmissionSettings = AdmissionSettings()
    tenants: TenantSettings = TenantSettings()
    account: AccountSettings = AccountSettings()

    @model_validator(mode="after")
    def _pools_fit_together(self) -> Self:
        broken((*manager_pools(tuple(self.pools.values())), *pool_roles(self.pools.values())))
        broken(overlay_size(self.network.isolation, self.network.fleet_subnet, self.pools.values()))
        broken(tenants_apart(self.network.isolation, self.pools))
        broken(router_port(self.network.router_port, self.admission, self.pools))
        broken(quotas_in_networks(self))
        broken(pool_scaling(self.scaling, self.pools))
        broken(images_without_internet(self.network.egress, self.pools))
        broken(encrypted_for_all(self.network.encrypted, self.pools))
        broken((*prices(self.scaling, self.pools), *budget(self.scaling, self.pools)))
        return self

    def to_json(self) -> str:
        """What the file says, without what is the default and what the template alone needs, for a function to read."""
        return self.model_dump_json(exclude_unset=True, exclude=OF_THE_TEMPLATE)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The settings that `to_json` wrote. Raises SettingsError."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise SettingsError("settings", [(1, problem) for problem in _problems_in(error)]) from error

    def admission_of(self, pool: str) -> AdmissionSettings:
        """What a pool allows: the fleet's features and its own."""
        return self.admission.merged(self.pools[pool].admission)

    def scaling_of(self, pool: str) -> PoolScaling:
        """How a pool is scaled: the fleet's settings and its own."""
        return self.pools[pool].scaling.over(self.scaling)

    @property
    def windows_pools(self) -> frozenset[str]:
        """The pools of Windows nodes."""
        return frozenset(name for name, pool in self.pools.items() if pool.os == "windows")

    @property
    def slots(self) -> frozenset[PoolName]:
        """The pools whose manager's state outlives it."""
        return frozenset(PoolName(name) for name, pool in self.pools.items() if pool.retain_state is not None)

    def pools_of(self, role: Role) -> dict[str, PoolSettings]:
        """The pools of one role by name."""
        return {name: pool for name, pool in self.pools.items() if pool.role is role}


def load_settings(path: Path) -> Settings:
    """Read and check swarmkeeper.yaml. Raises SettingsError with every problem that was found."""
    # Here, because functions in AWS import this module and have no YAML library.
    from swarmkeeper.edge.yaml_lines import YamlFault, read_yaml

    try:
        document = read_yaml(path.read_text(encoding="utf-8"))
        return Settings.model_validate(document.data)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(path.name, [(1, Problem((), f"can't be read: {error}"))]) from error
    except YamlFault as fault:
        raise SettingsError(path.name, [(fault.line, Problem((), fault.problem))]) from fault
    except ValidationError as error:
        faults = [(document.line(problem.path), problem) for problem in _problems_in(error)]
        raise SettingsError(path.name, sorted(faults, key=lambda fault: fault[0])) from error


def _problems_in(error: ValidationError) -> list[Problem]:
    found: list[Problem] = []
    for detail in error.errors(include_url=False):
        across: tuple[Problem, ...] = detail.get("ctx", {}).get("problems", ())
        found.extend(Problem((*_path(detail), *problem.path), problem.text) for problem in across)
        if not across:
            found.append(Problem(_path(detail), _text(detail)))
    return found


def _path(detail: ErrorDetails) -> tuple[str | int, ...]:
    return tuple(part for part in detail["loc"] if part != "[key]")


def _text(detail: ErrorDetails) -> str:
    given = detail["input"]
    if detail["type"] == "extra_forbidden":
        return "unknown key"
    if detail["type"] == "missing":
        return "is missing"
    message = detail["msg"].removeprefix("Value error, ")
    if isinstance(given, str | int | float) and repr(given) not in message and str(given) not in message:
        return f"{given!r}: {message}"
    return message


def _dotted(problem: Problem) -> str:
    return ".".join(str(part) for part in problem.path) or "(document)"
