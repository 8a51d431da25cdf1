"""swarmkeeper.yaml: its shape, what is refused, and how it travels to the functions as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Resources, Role
from swarmkeeper.edge.quantities import Bytes, Seconds
from swarmkeeper.edge.settings_rules import (
    Problem,
    address_ranges,
    architecture,
    overlay_size,
    pool_limits,
    pool_roles,
    shares,
)
from swarmkeeper.errors import InvalidInput

HOOK_CEILING_S = 48 * 3600
"""A lifecycle action ends at the latest after 48 hours or 100 heartbeat time-outs, whichever comes first."""
HOOK_HEARTBEATS = 100
STANDARD_LABELS = frozenset({"node", "storagedriver", "kernelversion", "operatingsystem", "ostype"})
"""Keys that the engine answers itself; a pool's label can't override them."""


class SettingsError(InvalidInput):
    """swarmkeeper.yaml is refused; one line a problem: `file:line: field: what is wrong`."""

    def __init__(self, file: str, faults: list[tuple[int, Problem]]) -> None:
        first = faults[0][1]
        super().__init__(_dotted(first), first.text)
        self.lines = tuple(f"{file}:{line}: {_dotted(problem)}: {problem.text}" for line, problem in faults)

    def __str__(self) -> str:
        return "\n".join(self.lines)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _private_network(value: IPv4Network) -> IPv4Network:
    if not value.is_private:
        raise PydanticCustomError("public_network", "{given} is not a private range", {"given": str(value)})
    return value


def _vpc_size(value: IPv4Network) -> IPv4Network:
    if not 16 <= value.prefixlen <= 22:  # AWS takes /16 to /28; four subnets of use need a /22
        raise PydanticCustomError("vpc_size", "{given}: a VPC for a fleet is a /16 to /22", {"given": str(value)})
    return value


def _pool_size(value: IPv4Network) -> IPv4Network:
    if value.prefixlen > 23:  # the Swarm cuts /24 networks from it, and ingress takes the first
        raise PydanticCustomError("overlay_size", "{given}: the Swarm needs a /23 or larger", {"given": str(value)})
    return value


def _subnet_size(value: IPv4Network) -> IPv4Network:
    # Swarm's VXLAN networks slow down and lose addresses beyond some thousand endpoints.
    if not 16 <= value.prefixlen <= 28:
        raise PydanticCustomError("subnet_size", "{given}: an overlay is a /16 to /28", {"given": str(value)})
    return value


def _shared_only(value: str) -> str:
    if value == "tenant":
        raise PydanticCustomError("isolation", "tenant networks are not supported yet; use fleet")
    return value


def _alarm_period(value: int) -> int:
    if value not in {10, 30} and (value % 60 or not 60 <= value <= 86_400):  # CloudWatch's own rule
        raise PydanticCustomError("period", "{s}s: CloudWatch takes 10s, 30s or a multiple of 60s", {"s": value})
    return value


def _own_label(value: str) -> str:
    if value in STANDARD_LABELS:
        raise PydanticCustomError("label", "{name} is answered by the engine itself", {"name": value})
    return value


def _broken(found: Iterable[Problem]) -> None:
    """Raise what rules across fields have found, if anything; `_problems_in` takes it apart again."""
    if listed := tuple(found):
        raise PydanticCustomError("rules", "rules across fields are broken", {"problems": listed})


Count = Annotated[int, Field(strict=True)]  # strict, or `true` would be 1
Number = Annotated[float, Field(strict=True)]
Network = Annotated[IPv4Network, AfterValidator(_private_network)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,29}$")]
ImageReference = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:/-]{0,200}@sha256:[0-9a-f]{64}$")]
InstanceType = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")]
NodeImage = Annotated[str, Field(pattern=r"^(ami-[0-9a-f]{8,17}|/[A-Za-z0-9_./-]{1,500})$")]
LabelKey = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]+$"), AfterValidator(_own_label)]
LabelValue = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_ .*/()?+\[\]\\^$|-]*$", max_length=255)]
Share = Annotated[Number, Field(ge=0, le=1)]


class NetworkSettings(_Strict):
    """The address ranges and the name that containers are reached under."""

    vpc_cidr: Annotated[Network, AfterValidator(_vpc_size)]
    overlay_pool: Annotated[Network, AfterValidator(_pool_size)]
    fleet_subnet: Annotated[Network, AfterValidator(_subnet_size)]
    isolation: Annotated[str, Field(pattern="^(fleet|tenant)$"), AfterValidator(_shared_only)] = "fleet"
    domain: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")]
    router_port: Annotated[Count, Field(ge=1024, le=32767)] = 8080

    @model_validator(mode="after")
    def _ranges_are_apart(self) -> Self:
        _broken(address_ranges(self.vpc_cidr, self.overlay_pool, self.fleet_subnet))
        return self


class Overcommit(_Strict):
    """How many times a node's capacity may be reserved."""

    cpus: Annotated[Number, Field(gt=0, le=100)] = 1.0
    memory: Annotated[Number, Field(gt=0, le=10)] = 1.0


class PlacementSettings(_Strict):
    strategy: Literal["spread", "binpack"] = "spread"
    overcommit: Overcommit = Overcommit()
    default_memory: Annotated[Bytes, Field(ge=6 * 2**20)] = 256 * 2**20
    """The memory limit, and reservation, of a container that asks for none; Docker's own least limit is 6 MiB."""


class Amount(_Strict):
    """CPUs (0.5 is half a CPU) and memory."""

    cpus: Annotated[Number, Field(ge=0)] = 0
    memory: Bytes = 0

    @property
    def resources(self) -> Resources:
        return Resources(round(self.cpus * NANO_CPUS_PER_CPU), self.memory)


class Headroom(Amount):
    """Room kept free for requests to come."""

    containers: Annotated[Count, Field(ge=0)] = 0


class PoolSettings(_Strict):
    """One Auto Scaling group of like nodes."""

    role: Role
    instance_types: Annotated[tuple[InstanceType, ...], Field(min_length=1, max_length=20)]
    min: Annotated[Count, Field(ge=0, le=1000)]
    max: Annotated[Count, Field(ge=0, le=1000)]
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    system_reserve: Amount = Amount()
    drain_limit: Annotated[Seconds, Field(ge=60, lt=HOOK_CEILING_S)] = 1800
    launch_limit: Annotated[Seconds, Field(ge=30, le=7200)] = 600
    node_image: NodeImage | None = None

    @model_validator(mode="after")
    def _limits_make_sense(self) -> Self:
        _broken(pool_limits(self))
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


class ScalingSettings(_Strict):
    alarm_period: Annotated[Seconds, AfterValidator(_alarm_period)] = 60
    out_cooldown: Seconds = 60
    in_cooldown: Seconds = 300
    reserved_high: Share = 0.8
    reserved_low: Share = 0.3
    headroom: Headroom = Headroom()
    max_removals: Annotated[Count, Field(ge=1, le=100)] = 1

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Self:
        _broken(shares(self.reserved_low, self.reserved_high))
        return self


class ImageSettings(_Strict):
    """The images that nodes run, by digest; None leaves them to the deployment's parameters."""

    join: ImageReference | None = None
    router: ImageReference | None = None


class Settings(_Strict):
    """swarmkeeper.yaml as a whole."""

    fleet: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,20}$")]
    network: NetworkSettings
    placement: PlacementSettings = PlacementSettings()
    pools: Annotated[dict[Name, PoolSettings], Field(min_length=1)]
    scaling: ScalingSettings = ScalingSettings()
    images: ImageSettings = ImageSettings()

    @model_validator(mode="after")
    def _pools_fit_together(self) -> Self:
        _broken((*pool_roles(self.pools.values()), *overlay_size(self.network.fleet_subnet, self.pools.values())))
        return self

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The settings that `model_dump_json` wrote. Raises SettingsError."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise SettingsError("settings", [(1, problem) for problem in _problems_in(error)]) from error

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
