"""Real machines for tests: a VPC of their own, and the lock that keeps two local clouds off one host."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from local.lock import MachineLock, default_lock_path
from local.machines import Instance, NodeCommand
from local.machines.cleanup import clean_up
from local.machines.real import RealMachines
from local.registry import Registry

VPC = "10.213.0.0/16"
REGION = "eu-central-1"
FIRST_ENGINE = "#!/bin/sh\nset -e\nsystemctl enable --now docker\n"

Shell = Callable[..., str]


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for machines, with this host's lock held and whatever an earlier run left removed."""
    folder = tmp_path_factory.mktemp("machines")
    lock = MachineLock.acquire(default_lock_path(), folder)
    clean_up(folder)
    yield folder
    clean_up(folder)
    lock.release()


@pytest.fixture(scope="module")
def registry_port() -> int:
    """A port of the host that nothing listens on, nor on the next one.

    Below those that the kernel gives to connections, of which one could have it until it is listened on.
    """
    begin = random.randrange(20_000, 30_000, 2)
    return next(port for port in range(begin, 32_000, 2) if _is_free(port) and _is_free(port + 1))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def machines(state_dir: Path, registry_port: int) -> Iterator[RealMachines]:
    """Real machines without any instance yet."""
    registry = f"{IPv4Network(VPC)[1]}:{registry_port}"
    made = RealMachines(state_dir, VPC, registry_port + 1, REGION, insecure_registry=registry)
    yield made
    made.close()


@pytest.fixture(scope="module")
def registry(state_dir: Path, machines: RealMachines, registry_port: int) -> Iterator[Registry]:
    """The account's registry, where nodes reach it."""
    made = Registry(state_dir, machines.router, registry_port)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shell(machines: RealMachines) -> Shell:
    """Runs a script on an instance and gives its output; fails when the script does, unless told its exit code."""

    def run(instance_id: str, script: str, exit_code: int = 0, timeout_s: float = 30.0) -> str:
        output = machines.run(instance_id, NodeCommand("command", "document", script, timeout_s=timeout_s))
        assert output.exit_code == exit_code, f"{output.stdout}\n{output.stderr}"
        return output.stdout.strip()

    return run


def an_instance(number: int, user_data: str = "", **changes: object) -> Instance:
    """An instance whose id and address follow from a small number."""
    facts: dict[str, object] = {
        "id": f"i-{number:017x}",
        "private_ip": str(IPv4Network(VPC)[256 + number]),
        "instance_type": "t3.small",
        "user_data": user_data,
        "role_name": "demo-node",
        "availability_zone": f"{REGION}a",
    }
    return Instance(**{**facts, **changes})  # type: ignore[arg-type]  # the names above are its fields
