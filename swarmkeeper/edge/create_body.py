"""Docker's create body with the container's name, as callers send it.

What may stand in a body is listed, not what may not: an engine that learns a new dangerous option tomorrow
must not make it available to tenants today. Which of the listed options need leave is said in `admission`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

PIDS_LIMIT = 1024
NANO_CPUS_MAX = 1024 * 10**9
MEMORY_BYTES_MAX = 2**45
TEXT_MAX = 131_072
"""What Linux takes as one argument or variable."""
LIST_MAX = 1000
SHARED_DRIVER = "shared"


class Part(BaseModel):
    """A part of the body; whatever is not listed is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _none_as_empty(value: object) -> object:
    return [] if value is None else value


def _none_as_no_entries(value: object) -> object:
    return {} if value is None else value


Text = Annotated[str, Field(max_length=TEXT_MAX)]
Texts = Annotated[list[Text], BeforeValidator(_none_as_empty), Field(max_length=LIST_MAX)]
TextMap = Annotated[dict[Text, Text], BeforeValidator(_none_as_no_entries), Field(max_length=LIST_MAX)]
PortKeys = Annotated[str, Field(pattern=r"^[0-9]{1,5}(/(tcp|udp|sctp))?$")]
Reference = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,50}$")]


class VolumeDriver(Part):
    """`local` keeps a volume on its node, `shared` where all nodes reach it. How that is done is the fleet's matter."""

    Name: Literal["", "local", "shared"] = ""
    Options: dict[Literal["writers"], Literal["one", "many"]] = {}

    @property
    def has_many(self) -> bool:
        """Whether the rule of one writer is given up."""
        return self.Options.get("writers") == "many"


class VolumeOptionsBody(Part):
    """Docker's options of a mounted volume."""

    DriverConfig: VolumeDriver = VolumeDriver()


class Mount(Part):
    """A named volume, a tmpfs, or a folder of the node where admission allows it."""

    Type: Literal["volume", "tmpfs", "bind"]
    Target: str = Field(pattern=r"^/", max_length=4096)
    Source: str = Field(default="", max_length=4096)
    ReadOnly: bool = False
    VolumeOptions: VolumeOptionsBody | None = None


class RestartPolicyBody(Part):
    """Only `no`: the engine must not start an old copy before we have looked."""

    Name: Literal["", "no"] = "no"
    MaximumRetryCount: Literal[0] = 0


class PortBinding(Part):
    """Where a container's port is published on its node; an empty port is chosen by the engine."""

    HostIp: str = Field(default="", pattern=r"^[0-9A-Fa-f.:]{0,45}$")
    HostPort: str = Field(default="", pattern=r"^[0-9]{0,5}$")


class DeviceBody(Part):
    """A device of the node."""

    PathOnHost: str = Field(pattern=r"^/dev/", max_length=4096)
    PathInContainer: str = Field(default="", max_length=4096)
    CgroupPermissions: str = Field(default="rwm", pattern=r"^[rwm]{1,3}$")


class DeviceRequest(Part):
    """GPUs by number. `all` (-1) and single devices can't be reserved, so they are refused."""

    Driver: Literal["", "nvidia"] = ""
    Count: int = Field(ge=1, le=64)
    Capabilities: list[list[str]] = Field(min_length=1, max_length=1)


Bindings = Annotated[list[PortBinding], BeforeValidator(_none_as_empty), Field(max_length=16)]
PortMap = Annotated[dict[PortKeys, Bindings], BeforeValidator(_none_as_no_entries), Field(max_length=256)]


class HostConfigBody(Part):
    """The options of Docker's HostConfig that may be used at all."""

    NanoCpus: int = Field(default=0, ge=0, le=NANO_CPUS_MAX)
    Memory: int = Field(default=0, ge=0, le=MEMORY_BYTES_MAX)
    PidsLimit: int = Field(default=PIDS_LIMIT, ge=1, le=2**22)
    ShmSize: int = Field(default=64 * 2**20, ge=0, le=2**36)
    ReadonlyRootfs: bool = False
    Init: bool = True
    Binds: Texts = []
    Mounts: list[Mount] = Field(default=[], max_length=256)
    Tmpfs: dict[str, str] = Field(default={}, max_length=256)
    VolumesFrom: Texts = []
    Links: Texts = []
    CapAdd: Texts = []
    CapDrop: Texts = []
    Devices: list[DeviceBody] = Field(default=[], max_length=64)
    DeviceRequests: list[DeviceRequest] = Field(default=[], max_length=1)
    PortBindings: PortMap = {}
    SecurityOpt: list[Literal["no-new-privileges", "no-new-privileges:true"]] = []
    RestartPolicy: RestartPolicyBody = RestartPolicyBody()
    NetworkMode: str = Field(default="", max_length=128)
    AutoRemove: Literal[False] = False
    Privileged: bool = False


class EndpointSettings(Part):
    """How the container is attached to its network."""

    Aliases: Texts = []
    Links: Texts = []


class NetworkingConfigBody(Part):
    """At most the fleet's network; others are not reachable by name through the routers."""

    EndpointsConfig: dict[str, EndpointSettings] = Field(default={}, max_length=8)


class HealthcheckBody(Part):
    """Docker's health check; durations in nanoseconds."""

    Test: Texts = []
    Interval: int = 0
    Timeout: int = 0
    StartPeriod: int = 0
    Retries: int = 0


class CreateBody(Part):
    """Docker's create body with the container's name.

    Env and Labels may hold placement rules: `constraint:`, `affinity:`, `whitelist:` and `reschedule:` lines, and
    classic Swarm's labels. docs/api.md lists them.
    """

    Name: str = Field(max_length=255)
    Image: str = Field(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@+-]*$")
    Env: Texts = []
    Labels: TextMap = {}
    Cmd: Texts = []
    Entrypoint: Texts = []
    User: str = Field(default="", max_length=255)
    WorkingDir: str = Field(default="", max_length=4096)
    Hostname: str = Field(default="", pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$")
    Tty: bool = False
    OpenStdin: bool = False
    StopSignal: str = Field(default="", max_length=32)
    StopTimeout: int = Field(default=10, ge=0, le=600)
    ExposedPorts: dict[PortKeys, dict[str, str]] = Field(default={}, max_length=256)
    Volumes: dict[str, dict[str, str]] = Field(default={}, max_length=256)
    Healthcheck: HealthcheckBody | None = None
    HostConfig: HostConfigBody = HostConfigBody()
    NetworkingConfig: NetworkingConfigBody = NetworkingConfigBody()
