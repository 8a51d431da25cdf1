"""Chooses the machines behind the instances: real engines where they can run, else simulated ones."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from local.aws.http_front import at_loopback
from local.aws.server import AwsServer
from local.images import push_images
from local.machines import CommandOutput, Machines, NodeCommand
from local.machines.filesystem import SHARED_FOLDER
from local.machines.real import RealMachines
from local.machines.requirements import available
from local.machines.simulated import SimulatedMachines
from local.registry import Registry
from local.starter import LocalCloudError, project_root
from swarmkeeper.adapters.engine.storage_source import DIRECTORY_VARIABLE
from swarmkeeper.edge.settings import Settings

REGISTRY_PORT = 5000
IN_PLACE_OF_EFS = {DIRECTORY_VARIABLE: str(SHARED_FOLDER)}
"""What functions are told besides the template: shared volumes lie in a folder that the nodes share."""
WEB_IMAGE = "web"
ELECTION_S = 3.0
"""How long a simulated Swarm has no leader after the loss of one."""
PROFILE_IMAGES = ("join", "router", WEB_IMAGE)
NODE_LIST_FORMAT = "{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}"


class Engines(Protocol):
    """The machines of one local cloud, the account's images for them, and what is known from outside AWS's APIs."""

    @property
    def kind(self) -> str: ...

    @property
    def machines(self) -> Machines: ...

    @property
    def images(self) -> Mapping[str, str]:
        """Image references by name."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What functions need besides the template's environment to reach the engines."""

    def swarm_nodes(self, manager_id: str) -> list[dict[str, str]]:
        """`docker node ls` on a manager."""

    def listener(self, name: str, port: int) -> socket.socket:
        """A bound socket where nodes look for what is found under that name and port."""

    def close(self) -> None:
        """End everything; safe to repeat."""


def choose(wanted: str, tell: Callable[[str], None]) -> str:
    """`real` or `simulated`. Raises LocalCloudError when real ones are wanted and can't be."""
    reason = None if wanted == "simulated" else available()
    if wanted == "real" and reason:
        raise LocalCloudError(f"real engines can't run here: {reason}")
    if reason:
        tell(f"engines are simulated, for real ones can't run here: {reason}")
    return "simulated" if reason or wanted == "simulated" else "real"


@dataclass(slots=True)
class RealEngines:
    """Real engines in namespaces, and the account's registry on the VPC router's address."""

    machines: RealMachines
    registry: Registry
    images: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    kind: str = "real"

    @classmethod
    def build(cls, server: AwsServer, settings: Settings, state_dir: Path, further: Sequence[str] = ()) -> RealEngines:
        """Make the network, start the registry and fill it, also with `further` images. Raises MachineError."""
        network = settings.network.vpc_cidr
        router = str(network[1])
        machines = RealMachines(
            state_dir, str(network), server.port, server.region, insecure_registry=f"{router}:{REGISTRY_PORT}"
        )
        engines = cls(machines, Registry(state_dir, router, REGISTRY_PORT), environment=IN_PLACE_OF_EFS)
        try:
            server.listen_also(router)  # instances call AWS's APIs too
            engines.registry.start()
            script = project_root() / "compose" / "join" / "join.sh"
            engines.images = push_images(engines.registry.address, *PROFILE_IMAGES, *further, join_script=script)
        except BaseException:
            engines.close()
            raise
        return engines

    def swarm_nodes(self, manager_id: str) -> list[dict[str, str]]:
        listed = self.on_node(manager_id, f"docker node ls --format '{NODE_LIST_FORMAT}'")
        if listed.exit_code:
            raise LocalCloudError(f"docker node ls on {manager_id}: {listed.stderr.strip()}")
        keys = ("hostname", "status", "availability", "manager_status")
        return [dict(zip(keys, [*line.split(), ""], strict=False)) for line in listed.stdout.splitlines()]

    def listener(self, name: str, port: int) -> socket.socket:
        return self.machines.listener(name, port)

    def on_node(self, instance_id: str, script: str) -> CommandOutput:
        """Run a script as root on a node, as somebody logged in there would."""
        return self.machines.run(instance_id, NodeCommand("look", "look", script, timeout_s=20.0))

    def close(self) -> None:
        self.machines.close()
        self.registry.stop()


@dataclass(slots=True)
class SimulatedEngines:
    """Simulated engines; every image exists in their registry."""

    machines: SimulatedMachines
    images: Mapping[str, str]
    environment: Mapping[str, str]
    kind: str = "simulated"

    @classmethod
    def build(cls, server: AwsServer, settings: Settings) -> SimulatedEngines:
        """Make the simulation; nodes read their tokens from the emulated parameters."""

        def read_token(role: str) -> str:
            name = f"/{settings.fleet}/join-token/{role}"
            answer = server.client("ssm").get_parameter(Name=name, WithDecryption=True)
            return str(answer["Parameter"]["Value"])

        def tell_end(instance_id: str) -> None:
            detail = json.dumps({"fleet": settings.fleet, "node": instance_id})
            entry = {"Source": f"swarmkeeper.{settings.fleet}.node", "DetailType": "Container Ended", "Detail": detail}
            server.client("events").put_events(Entries=[entry])

        digest = "0" * 64
        images = {name: f"registry.internal/swarmkeeper/{name}@sha256:{digest}" for name in PROFILE_IMAGES}
        # Real nodes hold the image that they have joined with.
        machines = SimulatedMachines(
            read_token, election_s=ELECTION_S, tell_end=tell_end, baked_images=[images["join"]]
        )
        return cls(machines, images, {**machines.extra_env, **IN_PLACE_OF_EFS})

    def swarm_nodes(self, manager_id: str) -> list[dict[str, str]]:
        membership = self.machines.engine(manager_id).membership
        if membership is None:
            raise LocalCloudError(f"{manager_id} is not in a Swarm")
        listed = cast(list[dict[str, Any]], membership.swarm.nodes())
        return [
            {
                "hostname": node["Description"]["Hostname"],
                "status": node["Status"]["State"].capitalize(),
                "manager_status": manager_status(node.get("ManagerStatus") or {}),
            }
            for node in listed
        ]

    def listener(self, name: str, port: int) -> socket.socket:
        """Simulated nodes ask nothing by name: tests do, on this machine."""
        return at_loopback()

    def close(self) -> None:
        self.machines.close()


def manager_status(told: Mapping[str, Any]) -> str:
    """As `docker node ls` has it: Leader, Reachable, Unreachable, or nothing for a node without a vote."""
    return "Leader" if told.get("Leader") else str(told.get("Reachability", "")).capitalize()
