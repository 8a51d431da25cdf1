"""From a request to a running container on real engines, beside Docker's own ways to one, in one run."""

from __future__ import annotations

import json as jsonlib
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from docker import APIClient
from docker.types import (
    ContainerSpec,
    EndpointSpec,
    NetworkAttachmentConfig,
    Placement,
    RestartPolicy,
    ServiceMode,
    TaskTemplate,
)
from docker.types import Resources as Limits

from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.adapters.engine import DockerEngines, EngineClients
from swarmkeeper.adapters.engine.create_body import create_body
from swarmkeeper.adapters.memory.upkeep import MemoryPulls, MemoryWatches
from swarmkeeper.cli.bench.figures import Figures, machine, percentile, tell
from swarmkeeper.cli.bench.fleet_parts import MovedClock, NoCommands
from swarmkeeper.cli.bench.ground import Ground, as_node, body_of, local_fleet
from swarmkeeper.cli.output import notice
from swarmkeeper.composition import NETWORK
from swarmkeeper.domain.model import ContainerName, ContainerState, Node, Pool, PoolName, Request, Resources, Role
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.edge.patterns import compile_re2
from swarmkeeper.edge.requests import Admission
from swarmkeeper.edge.settings_admission import AdmissionSettings
from swarmkeeper.services.placer import Placer
from swarmkeeper.services.pulls import Puller
from swarmkeeper.services.remover import Remover
from swarmkeeper.services.reservations import Reserver
from swarmkeeper.services.starter import Starter
from swarmkeeper.services.view import FleetView

COMMAND = ["sleep", "600"]
NANO_CPUS, MEMORY_BYTES = 10**9 // 2, 64 * 2**20
POLL_S = 0.01
TASK_LIMIT_S = 60.0
WAYS = ("ours", "sdk", "service")
ENGINE_CALLS = ("create", "start")


@dataclass(slots=True)
class Calls:
    """What engine calls took, by operation, since the last `take`."""

    took_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, operation: str, seconds: float) -> None:
        self.took_s[operation] += seconds

    def take(self) -> dict[str, float]:
        taken = dict(self.took_s)
        self.took_s.clear()
        return taken


def create(
    rounds: Annotated[int, typer.Option(min=5, help="Containers that each way creates.")] = 60,
    seed: Annotated[int, typer.Option(help="Of the order in each round.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--output", help="Write the figures to a file as well.")] = None,
) -> None:
    """Time our create, Docker's SDK and a Swarm service of one replica, by turns on the same node and overlay.

    All are given the same body. Ours is the placement function's code against the emulated DynamoDB and the
    engine over mutual TLS; its own share is all that isn't the engine's create and start.
    """
    with local_fleet(workers=1, slots=64) as ground:
        contest = Contest(ground)
        notice("warming up")
        for way in WAYS:
            contest.run(way, "warm-up")
        figures = _figures(contest, rounds, Random(seed))  # noqa: S311  no secret
    tell(figures, as_json=json, output=out)


class Contest:
    """The three ways to a running container, each undone before the next begins."""

    def __init__(self, ground: Ground) -> None:
        self._calls = Calls()
        (worker,), (manager,) = ground.nodes("worker"), ground.nodes("manager")
        self._worker, self._manager = as_node(worker), as_node(manager)
        self._clients = ground.engines(self._calls.add)
        self._placer = _placer(ground, self._clients)
        self._admission = Admission(NETWORK, 16 * 2**20, {"workers": AdmissionSettings()})
        self._image = ground.image
        self._fetch(ground)
        self.own_s: list[float] = []

    def run(self, way: str, name: str) -> float:
        """Seconds from the request until it runs."""
        request = self._request(f"{name}-{way}")
        took_s: float = {"ours": self._ours, "sdk": self._sdk, "service": self._service}[way](request)
        return took_s

    def round_trip(self) -> float:
        """Seconds that one empty call of the engine takes on a kept connection."""
        with self._clients.calling(self._worker, "ping") as engine:
            begun = time.perf_counter()
            engine.ping()
            return time.perf_counter() - begun

    def _request(self, name: str) -> Request:
        return self._admission.admit(
            body_of(name, self._image, COMMAND, memory_bytes=MEMORY_BYTES, nano_cpus=NANO_CPUS)
        )

    def _fetch(self, ground: Ground) -> None:
        """Have the image on the node, and the network, before anything is timed."""
        with self._clients.calling(self._worker, "pull") as engine:
            engine.pull(ground.image)
            self._image_id = str(untyped(engine).inspect_image(ground.image)["Id"])

    def _ours(self, request: Request) -> float:
        self._calls.take()
        begun = time.perf_counter()
        container = self._placer.create(request)
        took_s = time.perf_counter() - begun
        if container.state is not ContainerState.RUNNING:
            raise RuntimeError(f"{container.state}: {container.reason}")
        engine = self._calls.take()
        self.own_s.append(took_s - sum(engine.get(call, 0.0) for call in ENGINE_CALLS))
        self._placer.remove(request.name)
        return took_s

    def _sdk(self, request: Request) -> float:
        body = create_body(request, fleet="sdk")
        with self._clients.calling(self._worker, "sdk") as engine:
            begun = time.perf_counter()
            made = untyped(engine).create_container_from_config(body, name=request.name)
            engine.start(made["Id"])
            took_s = time.perf_counter() - begun
            engine.remove_container(made["Id"], force=True, v=True)
        return took_s

    def _service(self, request: Request) -> float:
        with self._clients.calling(self._manager, "service") as manager:
            begun = time.perf_counter()
            service = self._new_service(manager, request.name)
            _await_task(manager, service)
            took_s = time.perf_counter() - begun
            untyped(manager).remove_service(service)
        self._await_gone(request.name)
        return took_s

    def _new_service(self, manager: APIClient, name: ContainerName) -> str:
        spec = ContainerSpec(image=self._image_id, args=COMMAND, init=True)
        task = TaskTemplate(
            spec,
            resources=Limits(cpu_limit=NANO_CPUS, mem_limit=MEMORY_BYTES),
            networks=[NetworkAttachmentConfig(NETWORK, aliases=[name])],
            placement=Placement(constraints=[f"node.hostname=={self._worker.id}"]),
            restart_policy=RestartPolicy("none"),
        )
        made: dict[str, Any] = untyped(manager).create_service(
            task, name=name, mode=ServiceMode("replicated", 1), endpoint_spec=EndpointSpec(mode="dnsrr")
        )
        return str(made.get("ID") or made["Id"])

    def _await_gone(self, name: ContainerName) -> None:
        """A service's container goes some time after its service; it must not slow down what comes next."""
        deadline = time.monotonic() + TASK_LIMIT_S
        with self._clients.calling(self._worker, "list") as engine:
            while engine.containers(all=True, filters={"name": f"{name}."}):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the service {name} leaves its container behind")
                time.sleep(0.1)


def untyped(engine: APIClient) -> Any:  # the SDK's stubs leave out some of its calls
    return engine


def _await_task(manager: APIClient, service: str) -> None:
    deadline = time.monotonic() + TASK_LIMIT_S
    while time.monotonic() < deadline:
        for task in untyped(manager).tasks(filters={"service": service}):
            if task["Status"]["State"] == "running":
                return
            if task["Status"]["State"] in ("failed", "rejected"):
                raise RuntimeError(jsonlib.dumps(task["Status"]))
        time.sleep(POLL_S)
    raise RuntimeError("the service's task does not run")


def _placer(ground: Ground, clients: EngineClients) -> Placer:
    clock, options = MovedClock(), PlacementOptions(compile_re2)
    store = DynamoStore(ground.cloud.client("dynamodb"), f"{ground.cloud.fleet}-state")
    engines = DockerEngines(clients, fleet=ground.cloud.fleet)
    chance = Random(0)  # noqa: S311  no secret
    pool = Pool(PoolName("workers"), Role.WORKER, "bench-workers", 1, 1, _capacity_of(store), 64)
    return Placer(
        store=store,
        reserver=Reserver(
            store=store,
            view=FleetView(store=store, clock=clock, options=options),
            clock=clock,
            random=chance,
            pause=time.sleep,
        ),
        starter=Starter(
            store=store,
            engines=engines,
            puller=Puller(pulls=MemoryPulls(), commands=NoCommands(), clock=clock),
            watches=MemoryWatches(),
            clock=clock,
        ),
        remover=Remover(store=store, engines=engines, clock=clock),
        clock=clock,
        pools=[pool],
        options=options,
    )


def _capacity_of(store: DynamoStore) -> Resources:
    worker: Node = next(each for each in store.nodes() if each.role is Role.WORKER)
    return worker.capacity


def _figures(contest: Contest, rounds: int, chance: Random) -> Figures:
    took_s: dict[str, list[float]] = {way: [] for way in WAYS}
    trips_s: list[float] = []
    contest.own_s.clear()
    for number in range(rounds):
        for way in chance.sample(WAYS, len(WAYS)):
            took_s[way].append(contest.run(way, f"r{number}"))
        trips_s.append(contest.round_trip())
        if number % 10 == 9:
            notice(f"{number + 1} of {rounds} rounds")
    p50 = {way: percentile(sorted(each), 50) * 1000 for way, each in took_s.items()}
    p99 = {way: percentile(sorted(each), 99) * 1000 for way, each in took_s.items()}
    own, trip = sorted(contest.own_s), percentile(sorted(trips_s), 50) * 1000
    return {
        "rounds": rounds,
        **{f"{way}_p50_ms": p50[way] for way in WAYS},
        **{f"{way}_p99_ms": p99[way] for way in WAYS},
        "p50_to_sdk": p50["ours"] / p50["sdk"],
        "p50_to_service": p50["ours"] / p50["service"],
        "own_p50_ms": percentile(own, 50) * 1000,
        "own_p99_ms": percentile(own, 99) * 1000,
        "tls_round_trip_p50_ms": trip,
        "own_with_tls_p50_ms": percentile(own, 50) * 1000 + len(ENGINE_CALLS) * trip,
        "polled_every_ms": POLL_S * 1000,
        **machine(),
    }
