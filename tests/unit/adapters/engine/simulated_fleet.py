"""A fleet of simulated machines that have joined a Swarm through the documents, as a registrar would let them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from local.machines import CommandOutput, Instance, NodeCommand
from local.machines.simulated import SimulatedMachines
from swarmkeeper.adapters.engine import DockerEngines, DockerSwarm, EngineClients, Timeouts
from swarmkeeper.domain.model import ContainerName, Node, Request, Resources, Role
from tests.fakes.builders import a_node
from tests.unit.adapters.engine.authority import Authority

FLEET = "demo"
NETWORK = "fleet"
SUBNET = "10.112.0.0/24"
IMAGE = "registry.example/web:1"
MIB = 2**20


def a_request(name: str = "web-1", *, image: str = IMAGE, network: str = NETWORK, **body: object) -> Request:
    """A request for half a CPU and 64 MiB; further arguments go into Docker's create body."""
    text = json.dumps({"Image": image, **body}, sort_keys=True)
    reservation = Resources(500_000_000, 64 * MIB)
    return Request(ContainerName(name), image, reservation=reservation, network=network, body=text)


def encoded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


class SimulatedFleet:
    """Machines, the authority that certifies them, and the real adapter that calls them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: object) -> None:
        self.authority = Authority()
        self.tokens = {str(role): "none yet" for role in Role}
        options = {"baked_images": (IMAGE,), "nonexistent": ("nonexistent",), **options}
        self.machines = SimulatedMachines(self.tokens.__getitem__, **options)  # type: ignore[arg-type]  # a test's options
        for name, value in self.machines.extra_env.items():
            monkeypatch.setenv(name, value)
            monkeypatch.delenv(name.lower(), raising=False)
        self.clients = EngineClients(self.authority.client, timeouts=Timeouts(connect_s=5, answer_s=5))
        self.engines = DockerEngines(self.clients, fleet=FLEET)
        self.swarm = DockerSwarm(self.clients)
        self.manager: Node | None = None

    def close(self) -> None:
        self.clients.close()
        self.machines.close()

    def launch(self, number: int, role: Role = Role.WORKER) -> Node:
        """An instance that has not joined."""
        node = a_node(f"i-{number:08x}", role=role, address=f"10.42.{number // 250}.{number % 250 + 4}")
        self.machines.start(Instance(node.id, node.address, "t3.small", ""))
        return node

    def run(self, node: Node, document: str, **parameters: str) -> CommandOutput:
        command = NodeCommand("c-1", f"{FLEET}-{document}", "", parameters)
        return self.machines.run(node.id, command)

    def certify(self, node: Node) -> str:
        """The node's certificate, made from its signing request."""
        return self.authority.sign(self.run(node, "node-csr").stdout, node.address)

    def join(self, node: Node, **changed: str) -> CommandOutput:
        """Run the join document: the first manager initialises the Swarm; arguments replace its parameters."""
        parameters = {
            "mode": "join" if self.manager else "init",
            "role": str(node.role),
            "certificate": encoded(self.certify(node)),
            "authority": encoded(self.authority.pem),
            "managers": f"{self.manager.address}:2377" if self.manager else "",
            "address": node.address,
        }
        return self.run(node, "node-join", **(parameters | changed))

    def grow(self, number: int, role: Role = Role.WORKER) -> Node:
        """An instance that has joined; the first one must be a manager, and makes the network."""
        node = self.launch(number, role)
        output = self.join(node)
        assert output.exit_code == 0, output.stderr
        node = replace(node, swarm_id=json.loads(output.stdout.splitlines()[-1])["node_id"])
        if self.manager is None:
            self.manager = node
            self.tokens |= {str(key): token for key, token in self.swarm.join_tokens(node).items()}
            self.swarm.ensure_network(node, NETWORK, SUBNET)
        return node
