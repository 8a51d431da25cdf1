"""A container on a simulated engine, and the checks that an engine makes before it creates one."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

from local.machines.simulated_images import full_reference, image_id
from local.machines.simulated_network import Refusal
from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Resources

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
LEAST_MEMORY_BYTES = 6 * 2**20
DEFAULT_NETWORK = "bridge"
NEVER = datetime(1, 1, 1, tzinfo=UTC)
"""What an engine says of a container that it has not started."""


Layers = tuple[tuple[str, ...], ...]
"""What stands in each layer of an image that was saved, those of images from elsewhere left out."""


@dataclass(slots=True)
class SimulatedContainer:
    """A container; `networks` maps the names of its networks to its aliases there."""

    id: str
    name: str
    config: Mapping[str, object]
    host_config: Mapping[str, object]
    networks: dict[str, tuple[str, ...]]
    created: float
    status: str = "created"
    sent_bytes: int = 0
    started: datetime | None = None
    addresses: dict[str, str] = field(default_factory=dict)
    """By network, while it runs."""
    output: list[bytes] = field(default_factory=list)
    """The lines that it has written, each with its end: no process runs, so they only tell of its starts and stops."""
    below: Layers = ()
    """What was saved of others in the layers of the image that it was made from."""
    written: tuple[str, ...] = ()
    """What stands in its own layer: no process runs, so whoever tests writes it."""

    @property
    def labels(self) -> dict[str, str]:
        return {name: str(value) for name, value in section(self.config, "Labels").items()}

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def has_terminal(self) -> bool:
        return self.config.get("Tty") is True

    @property
    def volumes(self) -> dict[str, dict[str, object]]:
        """The named volumes that it mounts, with the options of their driver."""
        mounts = self.host_config.get("Mounts")
        named = [one for one in mounts if one.get("Type") == "volume"] if isinstance(mounts, list) else []
        return {
            str(one["Source"]): section(section(section(one, "VolumeOptions"), "DriverConfig"), "Options")
            for one in named
            if one.get("Source")
        }

    def carries(self, label: str) -> bool:
        """Whether it has the label, given as `name` or `name=value`."""
        name, equals, value = label.partition("=")
        return name in self.labels and (not equals or self.labels[name] == value)

    def inspected(self) -> dict[str, object]:
        """The container as `GET /containers/<id>/json` shows it."""
        return {
            "Id": self.id,
            "Name": f"/{self.name}",
            "Image": self.config["Image"],
            "State": {"Status": self.status, "Running": self.running, "Dead": False, "StartedAt": self._started_at()},
            "Config": {"Tty": self.has_terminal, **self.config},
            "HostConfig": dict(self.host_config),
            "NetworkSettings": {"Networks": self._endpoints()},
        }

    def listed(self, *, with_size: bool = False) -> dict[str, object]:
        """The container as `GET /containers/json` lists it."""
        image = str(self.config["Image"])
        size = {"SizeRw": sum(map(len, self.written))} if with_size else {}
        return {
            **size,
            "Id": self.id,
            "Names": [f"/{self.name}"],
            "Image": image,
            "ImageID": image_id(full_reference(image)),
            "Labels": self.labels,
            "State": self.status,
            "Created": int(self.created),
            "NetworkSettings": {"Networks": self._endpoints()},
        }

    def measured(self) -> dict[str, object]:
        """The part of `GET /containers/<id>/stats` that tells of networks; a container that doesn't run has none."""
        networks = [f"eth{number}" for number, _ in enumerate(self.networks)] if self.running else []
        figures = [(name, {"rx_bytes": 0, "tx_bytes": self.sent_bytes if name == "eth0" else 0}) for name in networks]
        return {"id": self.id, "name": f"/{self.name}", **({"networks": dict(figures)} if figures else {})}

    def _started_at(self) -> str:
        return (self.started or NEVER).isoformat().replace("+00:00", "Z")

    def _endpoints(self) -> dict[str, object]:
        return {
            network: {"Aliases": list(aliases), "IPAddress": self.addresses.get(network, "")}
            for network, aliases in self.networks.items()
        }


def new_container(name: str, body: Mapping[str, object], *, capacity: Resources, now: float) -> SimulatedContainer:
    """A container from Docker's create body. Raises Refusal with the engine's own words."""
    if not NAME.fullmatch(name):
        raise bad_request(f"Invalid container name ({name}), only {NAME.pattern} are allowed")
    if not body.get("Image"):
        raise bad_request("No image specified")
    host_config = section(body, "HostConfig")
    _check_limits(host_config, capacity)
    config = {key: value for key, value in body.items() if key not in {"HostConfig", "NetworkingConfig"}}
    networks = _networks(body, host_config)
    return SimulatedContainer(secrets.token_hex(32), name, config, host_config, networks, now)


def section(body: Mapping[str, object], name: str) -> dict[str, object]:
    """The object under the name, empty where it is missing or null. Raises Refusal when it is something else."""
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise bad_request(f"json: cannot unmarshal {type(value).__name__} into Go struct field .{name}")
    return value


def strings(value: object) -> tuple[str, ...]:
    """A JSON list of strings, empty for null. Raises Refusal."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise bad_request("json: cannot unmarshal into Go value of type []string")
    return tuple(value)


def bad_request(message: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, message)


def _check_limits(host_config: Mapping[str, object], capacity: Resources) -> None:
    cpus, memory = _number(host_config, "NanoCpus"), _number(host_config, "Memory")
    most = capacity.nano_cpus // NANO_CPUS_PER_CPU
    if cpus < 0 or cpus > capacity.nano_cpus:
        raise bad_request(f"range of CPUs is from 0.01 to {most}.00, as there are only {most} CPUs available")
    if cpus and (_number(host_config, "CpuPeriod") or _number(host_config, "CpuQuota")):
        raise bad_request("Conflicting options: Nano CPUs and CPU Period cannot both be set.")
    if memory and memory < LEAST_MEMORY_BYTES:
        raise bad_request("Minimum memory limit allowed is 6MB")


def _number(host_config: Mapping[str, object], name: str) -> int:
    value = host_config.get(name) or 0
    if not isinstance(value, int):
        raise bad_request(f"json: cannot unmarshal string into Go struct field HostConfig.{name} of type int64")
    return value


def _networks(body: Mapping[str, object], host_config: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """The networks to attach to at the start: those of the body, else the host configuration's, else the bridge."""
    endpoints = section(section(body, "NetworkingConfig"), "EndpointsConfig")
    if len(endpoints) > 1:
        raise bad_request("Container cannot be connected to network endpoints: " + ", ".join(endpoints))
    if endpoints:
        return {network: strings(section(endpoints, network).get("Aliases")) for network in endpoints}
    mode = str(host_config.get("NetworkMode") or "default")
    if mode.startswith("container:"):
        return {}
    return {DEFAULT_NETWORK if mode == "default" else mode: ()}
