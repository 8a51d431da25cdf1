"""The kinds of values that swarmkeeper.yaml holds, and what is refused of each."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Resources
from swarmkeeper.edge.quantities import Bytes, Seconds
from swarmkeeper.edge.settings_rules import Problem

STANDARD_LABELS = frozenset({"node", "storagedriver", "kernelversion", "operatingsystem", "ostype"})
"""Keys that the engine answers itself; a pool's label can't override them."""


class Strict(BaseModel):
    """A part of the settings: unknown keys are refused, nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def broken(found: Iterable[Problem]) -> None:
    """Raise what rules across fields have found, if anything; `settings` takes it apart again."""
    if listed := tuple(found):
        raise PydanticCustomError("rules", "rules across fields are broken", {"problems": listed})


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


def _alarm_period(value: int) -> int:
    if value not in {10, 30} and (value % 60 or not 60 <= value <= 86_400):  # CloudWatch's own rule
        raise PydanticCustomError("period", "{s}s: CloudWatch takes 10s, 30s or a multiple of 60s", {"s": value})
    return value


def _own_registry(value: str) -> str:
    if value in ("docker.io", "index.docker.io"):
        raise PydanticCustomError("registry", "{name} is left out of images' names by engines", {"name": value})
    return value


def _own_label(value: str) -> str:
    if value in STANDARD_LABELS:
        raise PydanticCustomError("label", "{name} is answered by the engine itself", {"name": value})
    return value


Count = Annotated[int, Field(strict=True)]  # strict, or `true` would be 1
Number = Annotated[float, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Network = Annotated[IPv4Network, AfterValidator(_private_network)]
VpcRange = Annotated[Network, AfterValidator(_vpc_size)]
OverlayPool = Annotated[Network, AfterValidator(_pool_size)]
OverlaySubnet = Annotated[Network, AfterValidator(_subnet_size)]
Isolation = Literal["fleet", "tenant"]
AlarmPeriod = Annotated[Seconds, AfterValidator(_alarm_period)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,29}$")]
ImageReference = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:/-]{0,200}@sha256:[0-9a-f]{64}$")]
RegistryAddress = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)+(:[0-9]{1,5})?$", max_length=200),
    AfterValidator(_own_registry),
]
"""As references begin with it; without a dot the engine would take it for a repository of Docker Hub."""
InstanceType = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")]
NodeImage = Annotated[str, Field(pattern=r"^(ami-[0-9a-f]{8,17}|/[A-Za-z0-9_./-]{1,500})$")]
LabelKey = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]+$"), AfterValidator(_own_label)]
LabelValue = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_ .*/()?+\[\]\\^$|-]*$", max_length=255)]
Share = Annotated[Number, Field(ge=0, le=1)]


class Amount(Strict):
    """CPUs (0.5 is half a CPU) and memory."""

    cpus: Annotated[Number, Field(ge=0)] = 0
    memory: Bytes = 0

    @property
    def resources(self) -> Resources:
        return Resources(round(self.cpus * NANO_CPUS_PER_CPU), self.memory)
