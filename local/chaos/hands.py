"""Laying hands on machines: what is done to a node, and what it holds, on simulated and on real engines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from http import HTTPStatus
from typing import Protocol

from local.chaos.snapshot import OnEngine
from local.cloud import LocalCloud
from local.engines import RealEngines, SimulatedEngines
from local.machines import MachineError
from local.machines.simulated_network import Refusal

CREATED = "created"
LOOKS_AT_ONCE = 4
_TASKS = "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby"
_FORMAT = "{{.ID}} {{.State}} {{.Names}}"
_LOOK = f"""
docker ps --all --no-trunc --filter label=swarmkeeper.fleet --format '{_FORMAT}' 2>/dev/null && exit
echo DEAD
ls {_TASKS} 2>/dev/null
true
"""


class Side(StrEnum):
    """From whom a node is parted."""

    EVERYBODY = "everybody"
    FUNCTIONS = "functions"
    MANAGERS = "managers"


class Hands(Protocol):
    """What can be done to a node. Each raises MachineError when it is gone; `mend` undoes all but a full disk."""

    def kill(self, node: str) -> None:
        """kill -9 of its engine; the containers' processes go on."""

    def stop(self, node: str) -> None:
        """Stop its engine and what runs there."""

    def part(self, node: str, side: Side) -> None: ...

    def mend(self, node: str) -> None:
        """Start the engine that was stopped, let the node be heard again."""

    def refuse(self, node: str, operation: str, message: str) -> None:
        """Let its engine fail an operation, for that reason, from now on. Raises NotImplementedError."""

    def obey(self, node: str) -> None:
        """Undo `refuse`."""

    def look(self) -> Mapping[str, tuple[OnEngine, ...]]:
        """What every live machine holds of the fleet."""


def hands_of(cloud: LocalCloud) -> Hands:
    """The hands that suit the cloud's engines."""
    if isinstance(cloud.engines, RealEngines):
        return RealHands(cloud.engines)
    assert isinstance(cloud.engines, SimulatedEngines)  # noqa: S101  there is no third kind
    return SimulatedHands(cloud.engines)


class SimulatedHands:
    """On engines of this process."""

    def __init__(self, engines: SimulatedEngines) -> None:
        self._machines = engines.machines

    def kill(self, node: str) -> None:
        self._machines.cut_off(node)

    def stop(self, node: str) -> None:
        self._machines.halt(node)

    def part(self, node: str, side: Side) -> None:
        parts = {
            Side.EVERYBODY: self._machines.cut_off,
            Side.FUNCTIONS: self._machines.part_from_us,
            Side.MANAGERS: self._machines.part_from_managers,
        }
        parts[side](node)

    def mend(self, node: str) -> None:
        self._machines.heal(node)

    def refuse(self, node: str, operation: str, message: str) -> None:
        refusal = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, message)
        self._machines.engine(node).faults.refusal = lambda asked: refusal if asked == operation else None

    def obey(self, node: str) -> None:
        self._machines.engine(node).faults.refusal = lambda _: None

    def look(self) -> Mapping[str, tuple[OnEngine, ...]]:
        return {
            machine: tuple(OnEngine(one.name, one.running, one.status != CREATED) for one in held if _is_fleets(one))
            for machine, held in self._machines.held().items()
        }


def _is_fleets(container: _Labelled) -> bool:
    return "swarmkeeper.fleet" in container.labels


class _Labelled(Protocol):
    @property
    def labels(self) -> Mapping[str, str]: ...


class RealHands:
    """On engines in namespaces, with the node's own commands; a dead engine's containers are told by their tasks."""

    def __init__(self, engines: RealEngines) -> None:
        self._engines = engines
        self._names: dict[str, str] = {}
        """Container ids and their names, as engines listed them while they lived."""

    def kill(self, node: str) -> None:
        self._do(node, "kill -9 $(cat /run/docker.pid)")

    def stop(self, node: str) -> None:
        self._do(node, "systemctl stop docker")

    def part(self, node: str, side: Side) -> None:
        self._do(node, "; ".join(f"iptables --insert {rule}" for rule in _RULES[side]))

    def mend(self, node: str) -> None:
        undo = [
            f"while iptables --delete {rule} 2>/dev/null; do :; done" for rules in _RULES.values() for rule in rules
        ]
        self._do(node, "; ".join([*undo, "systemctl start docker"]))

    def refuse(self, node: str, operation: str, message: str) -> None:
        raise NotImplementedError(f"a real engine isn't made to fail: {operation}, {message}")

    def obey(self, node: str) -> None:
        """Nothing was refused."""

    def look(self) -> Mapping[str, tuple[OnEngine, ...]]:
        nodes = self._engines.machines.running()
        with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
            found = dict(zip(nodes, pool.map(self._held, nodes), strict=True))
        return {node: held for node, held in found.items() if held is not None}

    def _held(self, node: str) -> tuple[OnEngine, ...] | None:
        """None when it has ended meanwhile."""
        try:
            lines = self._engines.on_node(node, _LOOK).stdout.splitlines()
        except MachineError:
            return None
        if lines[:1] == ["DEAD"]:
            return tuple(OnEngine(self._names[one], running=True) for one in lines[1:] if one in self._names)
        return tuple(self._listed(lines))

    def _listed(self, lines: Iterable[str]) -> Iterable[OnEngine]:
        for line in lines:
            container, state, name = line.split(" ", 2)
            self._names[container] = name
            yield OnEngine(name, state == "running", state != CREATED)

    def _do(self, node: str, script: str) -> None:
        done = self._engines.on_node(node, script)
        if done.exit_code:
            raise MachineError(f"{node}: {script}: {done.stderr.strip()}")


_RULES: Mapping[Side, tuple[str, ...]] = {
    Side.EVERYBODY: ("INPUT -i eth0 -j DROP", "OUTPUT -o eth0 -j DROP"),
    Side.FUNCTIONS: ("INPUT -i eth0 -p tcp --dport 2376 -j DROP",),
    Side.MANAGERS: (
        "OUTPUT -o eth0 -p tcp --dport 2377 -j DROP",
        "INPUT -i eth0 -p tcp --sport 2377 -j DROP",
    ),
}
"""What iptables drops on the node."""
