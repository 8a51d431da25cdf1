"""A Swarm of many simulated engines in a process of its own, which speak the Engine API over mutual TLS."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from random import Random
from types import TracebackType
from typing import Self

from local.machines import Instance, NodeCommand
from local.machines.simulated import NOT_PROXIED, SimulatedMachines
from local.machines.simulated_faults import Weather
from swarmkeeper.adapters.pki.x509 import KeyPair, make_authority, make_client, sign_node

FIRST_ADDRESS = IPv4Address("10.42.0.4")
SUBNET = "10.112.0.0/16"
START_LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """The engines that are wanted: so many workers beside one manager."""

    engines: int
    instance_type: str
    images: tuple[str, ...]
    network: str
    latency_s: float = 0.0
    failure_rate: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Running:
    """The engines that run: their ids and addresses, the way to them, and who we are to them."""

    manager: tuple[str, str]
    workers: tuple[tuple[str, str], ...]
    proxy_url: str
    authority_pem: str
    client: KeyPair
    not_proxied: str = NOT_PROXIED


@dataclass(frozen=True, slots=True)
class Held:
    """A container that an engine is to run, by Docker's create body."""

    instance_id: str
    name: str
    body: dict[str, object]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the engines themselves hold, and what befell them."""

    running: dict[str, list[str]]
    """Names of running containers, and on which instances."""
    stopped: dict[str, list[str]]
    met: dict[str, int]


class SimulatedFleet:
    """Starts the process and asks it; a context that ends it."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._here: Connection | None = None
        self._process: BaseProcess | None = None

    def __enter__(self) -> Self:
        context = get_context("spawn")
        here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, self._wanted), daemon=True)
        self._process.start()
        there.close()
        self._here = here
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._here is not None:
            self._here.close()  # at which the process ends
        if self._process is not None:
            self._process.join(10.0)
            self._process.terminate()

    def running(self) -> Running:
        """Wait until all have joined. Raises EOFError when the process has failed; it says why on its stderr."""
        here = self._connection()
        if not here.poll(START_LIMIT_S):
            raise TimeoutError(f"{self._wanted.engines} engines have not started within {START_LIMIT_S:.0f} s")
        found = here.recv()
        assert isinstance(found, Running)  # noqa: S101  our own process sends it
        return found

    def calm(self) -> None:
        """Nothing fails from now on, and nothing takes its time."""
        self._connection().send("calm")

    def hold(self, containers: list[Held]) -> None:
        """Let engines run these containers, which nobody has asked them for; done with the next answer."""
        self._connection().send(containers)

    def look(self) -> Seen:
        """What the engines hold now."""
        here = self._connection()
        here.send("look")
        found = here.recv()
        assert isinstance(found, Seen)  # noqa: S101  our own process sends it
        return found

    def _connection(self) -> Connection:
        if self._here is None:
            raise ValueError("the engines have not been started")
        return self._here


def _serve(there: Connection, wanted: Wanted) -> None:
    """The process: start the engines, tell where they are, answer until nobody listens."""
    engines = _Engines(wanted)
    try:
        there.send(engines.start())
        while True:
            asked = there.recv()
            if isinstance(asked, list):
                engines.hold(asked)
            elif asked == "calm":
                engines.weather.failure_rate = engines.weather.latency_s = 0.0
            else:
                there.send(engines.seen())
    except (EOFError, BrokenPipeError):
        return  # and all of it ends with this process


class _Engines:
    """The machines, joined through the documents as a registrar would have them."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._tokens = {"manager": "none yet", "worker": "none yet"}
        self._authority = make_authority("bench", datetime.now(UTC))
        self._manager = ""
        self.weather = Weather(wanted.latency_s, wanted.failure_rate, Random(wanted.seed))  # noqa: S311  no secret
        self.machines = SimulatedMachines(self._tokens.__getitem__, baked_images=wanted.images)

    def start(self) -> Running:
        manager = self._join(0, "manager")
        engine = self.machines.engine(_instance_id(0))
        self._tokens |= engine.managed().tokens
        engine.create_network(
            {"Name": self._wanted.network, "Attachable": True, "IPAM": {"Config": [{"Subnet": SUBNET}]}}
        )
        workers = tuple(self._join(number, "worker") for number in range(1, self._wanted.engines + 1))
        client = make_client(self._authority, "placement", datetime.now(UTC))
        return Running(manager, workers, self.machines.extra_env["HTTPS_PROXY"], self._authority.certificate, client)

    def hold(self, containers: list[Held]) -> None:
        for each in containers:
            engine = self.machines.engine(each.instance_id)
            engine.start(engine.create(each.name, each.body))

    def seen(self) -> Seen:
        running: dict[str, list[str]] = {}
        stopped: dict[str, list[str]] = {}
        for number in range(1, self._wanted.engines + 1):
            engine = self.machines.engine(_instance_id(number))
            for container in list(engine.containers.values()):
                found = running if container.running else stopped
                found.setdefault(container.name, []).append(engine.host_name)
        return Seen(running, stopped, dict(Counter(self.weather.met)))

    def _join(self, number: int, role: str) -> tuple[str, str]:
        instance_id, address = _instance_id(number), str(FIRST_ADDRESS + number)
        self.machines.start(Instance(instance_id, address, self._wanted.instance_type, ""))
        signing_request = self._run(instance_id, "node-csr", {})
        certificate = sign_node(
            self._authority, signing_request, node_id=instance_id, address=address, now=datetime.now(UTC)
        )
        parameters = {
            "mode": "join" if self._manager else "init",
            "role": role,
            "certificate": _encoded(certificate),
            "authority": _encoded(self._authority.certificate),
            "managers": f"{self._manager}:2377" if self._manager else "",
            "address": address,
        }
        json.loads(self._run(instance_id, "node-join", parameters))
        self._manager = self._manager or address
        if role == "worker":
            self.machines.engine(instance_id).faults = self.weather.faults()
        return instance_id, address

    def _run(self, instance_id: str, document: str, parameters: dict[str, str]) -> str:
        output = self.machines.run(instance_id, NodeCommand("start", f"bench-{document}", "", parameters))
        if output.exit_code:
            raise RuntimeError(f"{document} on {instance_id}: {output.stderr}")
        return output.stdout


def _instance_id(number: int) -> str:
    return f"i-{number:08x}"


def _encoded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()
