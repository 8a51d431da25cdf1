"""Builds Docker's create body from what is typed on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_PUBLISHED = re.compile(
    r"(?:(?P<address>\d+(?:\.\d+){3}|\[[0-9A-Fa-f:]+\]):)?(?:(?P<host>\d*):)?(?P<port>\d+)(?:/(?P<kind>\w+))?"
)
MOVABLE_LABEL = "swarmkeeper.movable"
TENANT_LABEL = "swarmkeeper.tenant"


class WrongArgument(ValueError):
    """What was typed can't be understood."""


def memory_bytes(text: str) -> int:
    """`256MiB`, `256m`, `1GB` in bytes; as for Docker, units are powers of 1024. Raises WrongArgument."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise WrongArgument(f"{text!r} is not a size such as 256MiB")
    return int(float(found[1]) * 1024 ** _POWERS[found[2].upper()])


def nano_cpus(text: str) -> int:
    """`0.5` or `500m` CPUs in nano-CPUs. Raises WrongArgument."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(m?)", text.strip())
    if not found:
        raise WrongArgument(f"{text!r} is not a number of CPUs such as 0.5")
    return round(float(found[1]) * (10**6 if found[2] else 10**9))


def labels(pairs: Iterable[str]) -> dict[str, str]:
    """`key=value` texts as a mapping; a bare key has an empty value."""
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


def port_bindings(published: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """Docker's `-p` texts, `[ADDRESS:]HOST:CONTAINER[/udp]`, as its port bindings. Raises WrongArgument."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for text in published:
        found = _PUBLISHED.fullmatch(text)
        if not found or (found["address"] and found["host"] is None):
            raise WrongArgument(f"{text!r} is not [ADDRESS:]HOST:CONTAINER[/udp]")
        binding = {"HostIp": (found["address"] or "").strip("[]"), "HostPort": found["host"] or ""}
        bindings.setdefault(f"{found['port']}/{found['kind'] or 'tcp'}", []).append(binding)
    return bindings


def shared_mount(text: str) -> dict[str, object]:
    """`NAME:/PATH[:ro]` as a mount of a volume that all nodes reach. Raises WrongArgument."""
    name, _, rest = text.partition(":")
    path, _, mode = rest.partition(":")
    if not name or not path.startswith("/") or mode not in ("", "ro", "rw"):
        raise WrongArgument(f"{text!r} is not NAME:/PATH[:ro]")
    driver = {"DriverConfig": {"Name": "shared"}}
    mount: dict[str, object] = {"Type": "volume", "Source": name, "Target": path, "VolumeOptions": driver}
    return mount | ({"ReadOnly": True} if mode == "ro" else {})


def create_body(
    name: str,
    image: str,
    *,
    cpus: str = "0",
    memory: str = "0",
    gpus: int = 0,
    environment: Sequence[str] = (),
    label: Sequence[str] = (),
    constraints: Sequence[str] = (),
    affinities: Sequence[str] = (),
    publish: Sequence[str] = (),
    volumes: Sequence[str] = (),
    shared_volumes: Sequence[str] = (),
    volumes_from: Sequence[str] = (),
    links: Sequence[str] = (),
    network: str = "",
    tenant: str | None = None,
    lifetime: Mapping[str, str | None] | None = None,
    movable: bool = False,
    command: Sequence[str] = (),
) -> dict[str, object]:
    """Docker's create body with the container's name. Raises WrongArgument.

    `lifetime` holds durations by the last word of their labels: `expires`, `ttl`, `idle`.
    """
    wanted = labels(label)
    if movable:
        wanted[MOVABLE_LABEL] = "true"
    if tenant:
        wanted[TENANT_LABEL] = tenant
    wanted |= {f"swarmkeeper.{word}": duration for word, duration in (lifetime or {}).items() if duration}
    rules = [f"constraint:{each}" for each in constraints] + [f"affinity:{each}" for each in affinities]
    host: dict[str, object] = {"NanoCpus": nano_cpus(cpus), "Memory": memory_bytes(memory)}
    if publish:
        host["PortBindings"] = port_bindings(publish)
    if volumes:
        host["Binds"] = list(volumes)
    if shared_volumes:
        host["Mounts"] = [shared_mount(each) for each in shared_volumes]
    if volumes_from:
        host["VolumesFrom"] = list(volumes_from)
    if links:
        host["Links"] = [each if ":" in each else f"{each}:{each}" for each in links]
    if network:
        host["NetworkMode"] = network
    if gpus:
        host["DeviceRequests"] = [{"Count": gpus, "Capabilities": [["gpu"]]}]
    body: dict[str, object] = {
        "Name": name,
        "Image": image,
        "Env": [*environment, *rules],
        "Labels": wanted,
        "HostConfig": host,
    }
    if command:
        body["Cmd"] = list(command)
    return body
