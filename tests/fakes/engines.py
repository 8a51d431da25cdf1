"""Engines with containers and images, each of which can stop answering."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from swarmkeeper.domain.model import ContainerName, Image, Node, NodeId, Request, Resources
from swarmkeeper.errors import Conflict, ImageMissing, InvalidInput, Unavailable, Unreachable
from swarmkeeper.ports import EngineContainer, EngineFacts, EngineRecord, Layer, LogTail
from tests.fakes.faults import Fallible, can_fail

SMALL = Layer(size_bytes=2**20, below=5)
"""What a container has written, unless a test says otherwise."""


@dataclass(frozen=True, slots=True)
class FakeContainer:
    """A container on a fake engine; `connected` says whether its name answers on its network."""

    id: str
    request: Request
    running: bool = False
    connected: bool = True
    has_run: bool = False
    sent_bytes: int = 0
    created_at: float = 0.0
    started_at: float | None = None
    cut_off: bool = False
    """Whether it has ended with its engine."""
    ended_before_s: float = 3600.0
    """How long before its engine's start it ended, where that was started since."""
    image: str = ""
    """What it was made from."""
    written: tuple[str, ...] = ()
    """What stands in its own layer, and in those of a snapshot that it was made from."""
    layer: Layer = SMALL
    doubt: str = ""
    """Why the engine can't tell the request that made it, if so."""


STANDARD = {
    "ostype": "linux",
    "operatingsystem": "Debian GNU/Linux 12 (bookworm)",
    "kernelversion": "6.1.0-18-cloud-amd64",
    "storagedriver": "overlay2",
}


@dataclass(slots=True)
class FakeEngine:
    """One node's engine."""

    images: set[str] = field(default_factory=set)
    containers: dict[ContainerName, FakeContainer] = field(default_factory=dict)
    reachable: bool = True
    """Whether a connection can be made."""
    silent: bool = False
    """Whether it takes connections and never answers."""
    capacity: Resources | None = None
    """What its machine has; what the node's record says unless given."""


class FakeEngines(Fallible):
    """Every node has an engine, empty at first, that holds `images` from the start (none: every create misses).

    `made` counts containers ever created, so that a repeated create shows.
    """

    def __init__(self, *images: str) -> None:
        super().__init__()
        self.made = 0
        self.output: dict[str, list[bytes]] = {}
        self._images = set(images)
        self._engines: dict[NodeId, FakeEngine] = {}
        self._refused: dict[str, InvalidInput] = {}
        self._saved: dict[str, tuple[str, ...]] = {}

    def on(self, node_id: NodeId | str) -> FakeEngine:
        """The node's engine, to look at or to arrange."""
        return self._engines.setdefault(NodeId(node_id), FakeEngine(images=set(self._images)))

    def pull(self, node_id: NodeId | str, image: str) -> None:
        """Put the image onto the node, as the pull command does."""
        self.on(node_id).images.add(image)

    def refuse(self, image: str, field: str, problem: str) -> None:
        """Let every create from this image be refused as invalid."""
        self._refused[image] = InvalidInput(field, problem)

    def lose(self, node_id: NodeId | str) -> None:
        """The engine and what was on it are gone."""
        self._engines[NodeId(node_id)] = FakeEngine(reachable=False)

    def change(self, node_id: NodeId | str, name: str, **changes: object) -> None:
        """Change what the engine knows of a container, as its process or somebody on the node would."""
        containers = self.on(node_id).containers
        containers[ContainerName(name)] = replace(containers[ContainerName(name)], **changes)  # type: ignore[arg-type]  # fields by name

    def write(self, node_id: NodeId | str, name: str, what: str) -> None:
        """The container, which must run, writes into its own layer."""
        held = self.on(node_id).containers[ContainerName(name)]
        assert held.running, f"{name} does not run on {node_id}"
        self.change(node_id, name, written=(*held.written, what))

    def save(self, node_id: NodeId | str, engine_id: str, image: str) -> str:
        """What the command to save does; returns the digest, or "" where it refuses since the container runs."""
        held = [each for each in self.on(node_id).containers.values() if each.id == engine_id and not each.running]
        if not held:
            return ""
        digest = f"sha256:{hashlib.sha256(repr((image, held[0].written)).encode()).hexdigest()}"
        self._saved[f"{image.rpartition(':')[0]}@{digest}"] = held[0].written
        return digest

    def restart(self, node_id: NodeId | str) -> None:
        """The engine was started anew: what ran there has ended with it."""
        for name, held in self.on(node_id).containers.items():
            if held.running:
                self.change(node_id, name, running=False, cut_off=True)

    def running(self, name: str) -> list[NodeId]:
        """The nodes on which a container of the name runs."""
        return sorted(
            node_id
            for node_id, engine in self._engines.items()
            if (held := engine.containers.get(ContainerName(name))) and held.running
        )

    @can_fail
    def facts(self, node: Node) -> EngineFacts:
        capacity = self._reach(node).capacity or node.capacity
        return EngineFacts(name=node.id, capacity=capacity, version="20.10.24", swarm_state="active", labels=STANDARD)

    @can_fail
    def create(self, node: Node, request: Request, *, image: str = "") -> str:
        engine = self._reach(node)
        held = engine.containers.get(request.name)
        image = image or request.image
        if held is not None:
            if held.request != request or held.image != image:
                raise Conflict(f"another container {request.name} exists on {node.id}")
            return held.id
        if request.image in self._refused:
            raise self._refused[request.image]
        if image not in engine.images:
            raise ImageMissing(f"{node.id} lacks {image}")
        self.made += 1
        made = FakeContainer(f"engine-{self.made}", request, image=image, written=self._saved.get(image, ()))
        engine.containers[request.name] = made
        return made.id

    @can_fail
    def start(self, node: Node, engine_id: str) -> None:
        engine = self._reach(node)
        for name, held in engine.containers.items():
            if held.id == engine_id:
                engine.containers[name] = replace(held, running=True, has_run=True, cut_off=False)
                return
        raise Conflict(f"{node.id} has no container {engine_id}")

    @can_fail
    def stop(self, node: Node, name: ContainerName, *, network: str) -> None:
        engine = self._reach(node)
        if held := engine.containers.get(name):
            engine.containers[name] = replace(held, running=False, connected=False)

    @can_fail
    def resume(self, node: Node, name: ContainerName, *, network: str) -> None:
        engine = self._reach(node)
        if name not in engine.containers:
            raise Conflict(f"{node.id} has no container {name}")
        engine.containers[name] = replace(engine.containers[name], running=True, connected=True)

    @can_fail
    def remove(self, node: Node, name_or_id: str) -> None:
        containers = self._reach(node).containers
        for held_name, held in list(containers.items()):
            if name_or_id in (held_name, held.id):
                del containers[held_name]

    @can_fail
    def logs(self, node: Node, name: ContainerName, *, tail: int, most_bytes: int) -> LogTail | None:
        if name not in self._reach(node).containers:
            return None
        lines = self.output.get(name, [])[-tail:]
        text = b"".join(lines)
        return LogTail(text[-most_bytes:], is_cut=len(text) > most_bytes)

    @can_fail
    def containers(self, node: Node) -> tuple[EngineContainer, ...]:
        held = self._reach(node).containers.values()
        return tuple(
            EngineContainer(one.id, one.request.name, one.running, has_run=one.has_run, created_at=one.created_at)
            for one in held
        )

    @can_fail
    def layer(self, node: Node, engine_id: str) -> Layer | None:
        held = [one for one in self._reach(node).containers.values() if one.id == engine_id]
        return held[0].layer if held else None

    @can_fail
    def recall(self, node: Node, engine_id: str) -> EngineRecord | None:
        held = next((one for one in self._reach(node).containers.values() if one.id == engine_id), None)
        return None if held is None else EngineRecord(held.request, held.started_at, held.doubt, held.image)

    @can_fail
    def ended_with_engine(self, node: Node, engine_id: str, *, within_s: float | None = None) -> bool:
        held = [one for one in self._reach(node).containers.values() if one.id == engine_id]
        return any(one.cut_off and (within_s is None or one.ended_before_s <= within_s) for one in held)

    @can_fail
    def images(self, node: Node) -> tuple[Image, ...]:
        return tuple(Image(f"sha256:{tag}", (tag,)) for tag in sorted(self._reach(node).images))

    @can_fail
    def sent_bytes(self, node: Node, engine_id: str) -> int | None:
        held = [each for each in self._reach(node).containers.values() if each.id == engine_id]
        return held[0].sent_bytes if held and held[0].running else None

    def _reach(self, node: Node) -> FakeEngine:
        engine = self.on(node.id)
        if not engine.reachable:
            raise Unreachable(f"the engine of {node.id} can't be reached")
        if engine.silent:
            raise Unavailable(f"the engine of {node.id} does not answer")
        return engine
