"""What tenants may ask for: features that are refused unless they are allowed, and each tenant's bounds."""

from __future__ import annotations

import fnmatch
import posixpath
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Quota
from swarmkeeper.edge.quantities import Bytes
from swarmkeeper.edge.settings_fields import Count, Flag, Number, Strict

FLEET_PORTS = frozenset({2376, 2377, 4789, 7946})
"""The engines' and the Swarm's own ports on every node."""
PRECIOUS_PATHS = (
    "/boot", "/dev", "/etc", "/proc", "/root", "/run", "/sys", "/usr", "/var/lib/containerd", "/var/lib/docker",
    "/var/run",
)  # fmt: skip
"""Whoever writes there, or reaches the engine's socket there, owns the node and all that is on it."""
TENANT_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"


def _port_range(value: str) -> str:
    first, last = port_range(value)
    if not 1024 <= first <= last <= 65_535:
        raise PydanticCustomError("ports", "{given} is not a range within 1024-65535", {"given": value})
    if taken := sorted(port for port in FLEET_PORTS if first <= port <= last):
        text = {"given": value, "taken": ", ".join(map(str, taken))}
        raise PydanticCustomError("ports", "{given} holds the fleet's own ports {taken}", text)
    return value


def _mount_prefix(value: str) -> str:
    if posixpath.normpath(value) != value:
        raise PydanticCustomError("path", "{given} is not a plain absolute path", {"given": value})
    for precious in PRECIOUS_PATHS:
        if is_within(value, precious) or is_within(precious, value):
            text = {"given": value, "precious": precious}
            raise PydanticCustomError("path", "{given} would give tenants {precious} of the node", text)
    return value


def _capability(value: str) -> str:
    if value == "ALL" or value.startswith("CAP_"):
        raise PydanticCustomError("capability", "{given}: name single capabilities, without CAP_", {"given": value})
    return value


def port_range(text: str) -> tuple[int, int]:
    """The first and the last port of `8000-8999` or `8080`."""
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def is_within(path: str, folder: str) -> bool:
    """Whether a normalised path is the folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


PortRange = Annotated[str, Field(pattern=r"^[0-9]{1,5}(-[0-9]{1,5})?$"), AfterValidator(_port_range)]
MountPrefix = Annotated[str, Field(pattern=r"^/[^:]*$"), AfterValidator(_mount_prefix)]
Device = Annotated[str, Field(pattern=r"^/dev/[A-Za-z0-9_./-]+$")]
Capability = Annotated[str, Field(pattern=r"^[A-Z][A-Z_]+$"), AfterValidator(_capability)]
Tenant = Annotated[str, Field(pattern=TENANT_PATTERN)]
Principal = Annotated[str, Field(pattern=r"^arn:[a-z-]+:(iam|sts)::[0-9*]+:[A-Za-z0-9+=,.@_/*-]+$", max_length=500)]


class AdmissionSettings(Strict):
    """Features that are refused unless they are allowed here; each weakens what keeps tenants apart."""

    host_ports: tuple[PortRange, ...] = ()
    """Ports of the node that containers may publish, such as `8000-8999`."""
    host_mounts: tuple[MountPrefix, ...] = ()
    """Folders of the node that containers may mount, with all below them."""
    devices: tuple[Device, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    """Linux capabilities that containers may add, without `CAP_`."""
    host_network: Flag = False
    privileged: Flag = False

    def allows_port(self, port: int) -> bool:
        """Whether a port of the host may be published; 0, a port that the engine chooses, where any may be."""
        if port == 0:
            return bool(self.host_ports)
        return any(first <= port <= last for first, last in map(port_range, self.host_ports))

    def allows_mount(self, path: str) -> bool:
        """Whether a folder of the host may be mounted. Links inside an allowed folder are the node's own matter."""
        plain = posixpath.normpath(path)
        return plain == path.rstrip("/") and any(is_within(plain, allowed) for allowed in self.host_mounts)

    def merged(self, other: AdmissionSettings) -> AdmissionSettings:
        """What either of the two allows."""
        return AdmissionSettings(
            host_ports=self.host_ports + other.host_ports,
            host_mounts=self.host_mounts + other.host_mounts,
            devices=self.devices + other.devices,
            capabilities=self.capabilities + other.capabilities,
            host_network=self.host_network or other.host_network,
            privileged=self.privileged or other.privileged,
        )


class QuotaSettings(Strict):
    """What a tenant's accepted containers may be at most, pending ones included; null is no limit."""

    containers: Annotated[Count, Field(ge=0)] | None = None
    cpus: Annotated[Number, Field(ge=0)] | None = None
    memory: Bytes | None = None

    @property
    def quota(self) -> Quota | None:
        """The domain's value; None when nothing is limited."""
        nano_cpus = None if self.cpus is None else round(self.cpus * NANO_CPUS_PER_CPU)
        quota = Quota(self.containers, nano_cpus, self.memory)
        return None if quota == Quota() else quota


class KnownTenant(Strict):
    """A tenant with a quota of its own, or with callers of its own."""

    quota: QuotaSettings | None = None
    principals: tuple[Principal, ...] = ()
    """IAM roles and users, by ARN with `*`, that act for this tenant, and then for no other than those that list them.

    Without any, every caller that is listed nowhere may act for it.
    """


class TenantSettings(Strict):
    """Quotas, and who acts for whom."""

    quota: QuotaSettings = QuotaSettings()
    """Of each tenant that has none of its own."""
    operators: tuple[Principal, ...] = ()
    """Callers that may act for every tenant."""
    known: dict[Tenant, KnownTenant] = Field(default_factory=dict)

    def quota_of(self, tenant: str) -> Quota | None:
        """The tenant's quota; None when nothing is limited."""
        known = self.known.get(tenant)
        return (known.quota if known and known.quota else self.quota).quota

    def listing(self, principal: str) -> frozenset[str]:
        """The tenants that list this principal."""
        return frozenset(name for name, known in self.known.items() if matches(principal, known.principals))

    @property
    def closed(self) -> frozenset[str]:
        """The tenants that only their own principals act for."""
        return frozenset(name for name, known in self.known.items() if known.principals)


def matches(principal: str, patterns: tuple[str, ...]) -> bool:
    """Whether an ARN is one of the patterns, in which `*` stands for any characters."""
    return any(fnmatch.fnmatchcase(principal, pattern) for pattern in patterns)
