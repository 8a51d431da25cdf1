"""Builds Docker's create body from what is typed on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
MOVABLE_LABEL = "swarmkeeper.movable"


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


def create_body(
    name: str,
    image: str,
    *,
    cpus: str = "0",
    memory: str = "0",
    environment: Sequence[str] = (),
    label: Sequence[str] = (),
    constraints: Sequence[str] = (),
    movable: bool = False,
    command: Sequence[str] = (),
) -> dict[str, object]:
    """Docker's create body with the container's name. Raises WrongArgument."""
    wanted = labels(label)
    if movable:
        wanted[MOVABLE_LABEL] = "true"
    body: dict[str, object] = {
        "Name": name,
        "Image": image,
        "Env": [*environment, *(f"constraint:{expression}" for expression in constraints)],
        "Labels": wanted,
        "HostConfig": {"NanoCpus": nano_cpus(cpus), "Memory": memory_bytes(memory)},
    }
    if command:
        body["Cmd"] = list(command)
    return body
