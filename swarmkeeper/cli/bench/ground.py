"""A local cloud on real engines for a measurement: started with settings of its own, ended with it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from swarmkeeper.adapters.aws.secrets import FleetSecrets
from swarmkeeper.adapters.engine import ClientIdentity, EngineClients, Timeouts
from swarmkeeper.cli import output
from swarmkeeper.cli.fleet import Fleet, Invoker, NodeView

if TYPE_CHECKING:
    from local.starter import Cloud
    from swarmkeeper.domain.model import Node

Body = Mapping[str, object]

PAUSE_S = 0.5
JOIN_LIMIT_S = 300.0
LONGEST_CALL_S = 600.0
SETTINGS = """
fleet: bench
network:
  vpc_cidr: 10.42.0.0/16
  overlay_pool: 10.96.0.0/12
  fleet_subnet: 10.112.0.0/21
  domain: bench.example
  isolation: {isolation}
pools:
  managers: {{role: manager, instance_types: [m5.large], min: 1, max: 1}}
  workers:
    role: worker
    instance_types: [m5.4xlarge]
    min: {workers}
    max: {workers}
    labels: {{containerslots: "{slots}"}}
scaling: {{alarm_period: 10s, in_cooldown: 1h}}
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """The cloud that is up, with its workers ready."""

    cloud: Cloud
    fleet: Fleet
    image: str

    def nodes(self, role: str) -> list[NodeView]:
        return [each for each in self.fleet.list()["nodes"] if each["role"] == role and each["state"] == "ready"]

    def engines(self, observe: Callable[[str, float], None] | None = None) -> EngineClients:
        """The engines over mutual TLS, as the placement function reaches them; no call is cut short."""
        value = FleetSecrets(self.cloud.client("secretsmanager"), self.cloud.fleet).get("client/placement")
        identity = ClientIdentity(value["authority"], value["certificate"], value["key"])
        return EngineClients(lambda: identity, timeouts=Timeouts(answer_s=LONGEST_CALL_S), observe=observe)


@contextmanager
def local_fleet(*, workers: int, slots: int, isolation: str = "fleet") -> Iterator[Ground]:
    """A fleet of its own while the block runs. Ends the command when another local cloud is up."""
    from local import starter  # real engines come with the local cloud only

    try:
        cloud = starter.running_cloud()
    except starter.LocalCloudError as error:
        output.fail(str(error))
    if cloud is not None:
        output.fail("a local cloud is up already; stop it with `swarmkeeper local down`")
    with tempfile.TemporaryDirectory(prefix="swarmkeeper-bench-") as folder:
        settings = Path(folder) / "swarmkeeper.yaml"
        settings.write_text(SETTINGS.format(workers=workers, slots=slots, isolation=isolation))
        try:
            cloud, _ = starter.up(starter.Wanted(settings, "real", agent_delay_s=1.0), output.notice)
            ground = Ground(cloud, Fleet(cloud.fleet, cast(Invoker, cloud.client("lambda"))), _image(starter))
            wait(f"{workers} workers", lambda: len(ground.nodes("worker")) == workers, JOIN_LIMIT_S)
            yield ground
        except starter.LocalCloudError as error:
            output.fail(str(error))
        finally:
            starter.down(output.notice)


def wait(what: str, done: Callable[[], bool], limit_s: float) -> None:
    """Wait until it is so; ends the command when it isn't in time."""
    output.notice(f"waiting for {what}")
    deadline = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > deadline:
            output.fail(f"no {what} within {limit_s:g} s")
        time.sleep(PAUSE_S)


def body_of(
    name: str, image: str, command: Sequence[str], *, memory_bytes: int, nano_cpus: int = 0, tenant: str = "default"
) -> Body:
    """Docker's create body of a container with these limits; one of little CPU would be slow to start."""
    limits = {"Memory": memory_bytes, **({"NanoCpus": nano_cpus} if nano_cpus else {})}
    labels = {"swarmkeeper.tenant": tenant}
    return {"Name": name, "Image": image, "Cmd": list(command), "HostConfig": limits, "Labels": labels}


def as_node(view: NodeView) -> Node:
    """The node as engines' clients want it."""
    from swarmkeeper.domain.membership import NodeState
    from swarmkeeper.domain.model import Node, NodeId, PoolName, Role

    return Node(
        id=NodeId(view["id"]),
        pool=PoolName(view["pool"]),
        role=Role(view["role"]),
        state=NodeState.READY,
        created_at=0.0,
        state_since=0.0,
        address=view["address"],
    )


def _image(starter: Any) -> str:  # the module, which is imported when it is needed
    return str(starter.ask("status")["web_image"])
