"""From a member of the Swarm to a node in service: shown ready, its images there, labelled, registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from swarmkeeper.domain.joining import NORMAL_LIMITS, JoinLimits
from swarmkeeper.domain.membership import Step
from swarmkeeper.domain.model import Node, Pool, PoolName, Resources, Role
from swarmkeeper.domain.placement.images import is_held
from swarmkeeper.domain.placement.labels import node_labels
from swarmkeeper.domain.pools import PoolPlan
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import Clock, EngineFacts, Engines, Fleet, InstanceFacts, StateStore, Swarm, SwarmNode
from swarmkeeper.services.managers import Managers
from swarmkeeper.services.tokens import TokenKeeper
from swarmkeeper.services.transitions import stepped


@dataclass(frozen=True, slots=True)
class RegistrarSettings:
    """What the operator configured."""

    fleet: str
    network: str
    network_subnet: str
    plans: Mapping[PoolName, PoolPlan]
    has_registry: bool
    """Whether layers may be saved, and wait for pulls."""
    limits: JoinLimits = NORMAL_LIMITS

    def plan_of_group(self, group: str) -> PoolPlan | None:
        """The pool behind an Auto Scaling group; None for a foreign group."""
        return next((plan for plan in self.plans.values() if plan.pool.group == group), None)


class Admitter:
    """Checks in the Swarm itself, and at the engine, before a node is called ready; every step may be repeated."""

    def __init__(
        self,
        *,
        store: StateStore,
        fleet: Fleet,
        engines: Engines,
        swarm: Swarm,
        managers: Managers,
        tokens: TokenKeeper,
        clock: Clock,
        settings: RegistrarSettings,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._engines = engines
        self._swarm = swarm
        self._managers = managers
        self._tokens = tokens
        self._clock = clock
        self._settings = settings

    def shown(self, node: Node) -> SwarmNode:
        """The node as the Swarm shows it, ready, a manager with its vote. Raises Unavailable until it does.

        Ghosts of the same host name have other Swarm ids.
        """
        for listed in self._managers.nodes(other_than=node, at_last=_itself(node)):
            is_it = listed.host_name == node.id and node.swarm_id in ("", listed.id)
            if is_it and listed.ready and (node.role is Role.WORKER or listed.reachable):
                return listed
        raise Unavailable(f"{node.id} is not yet ready in the Swarm")

    def missing_image(self, node: Node) -> str | None:
        """The first of its pool's images that its engine doesn't hold. Raises Unavailable when it does not answer."""
        wanted = self._settings.plans[node.pool].images
        if not wanted:
            return None
        held = self._engines.images(node)
        return next((image for image in wanted if not is_held(image, held)), None)

    def admit(self, node: Node, shown: SwarmNode) -> Node:
        """Label it in the Swarm and make its record READY; returns that. Raises Unavailable, NodeChanged."""
        plan = self._settings.plans[node.pool]
        instance = self._fleet.instance(node.id)
        if instance is None:
            raise Unavailable(f"EC2 does not describe {node.id}")
        engine = self._engines.facts(node)
        labels = node_labels(labels_of(plan.pool, instance), engine.labels)
        self._ask(node, lambda manager: self._swarm.label(manager, shown.id, labels))
        if node.role is Role.MANAGER:
            self._ask(node, self._serve_as_manager)
        joined = replace(
            node,
            swarm_id=shown.id,
            labels=labels,
            capacity=capacity_of(engine, self._fleet.type_capacity(instance.instance_type), plan),
            command=None,
            reason="",
        )
        return self._store.save_node(stepped(joined, Step.CONFIRM_READY, now=self._clock.now()))

    def _ask(self, node: Node, request: Callable[[Node], None]) -> None:
        """Have a manager do it; the first one is its own."""
        self._managers.ask(request, other_than=node, at_last=_itself(node))

    def _serve_as_manager(self, manager: Node) -> None:
        """What the fleet needs of its managers before anybody can join or be attached."""
        self._swarm.ensure_network(manager, self._settings.network, self._settings.network_subnet)
        self._tokens.publish(manager)


def _itself(node: Node) -> Node | None:
    """The node where it is a manager: the first one has no other to ask."""
    return node if node.role is Role.MANAGER else None


def capacity_of(engine: EngineFacts, machine: Resources, plan: PoolPlan) -> Resources:
    """What may be reserved: the smaller of the engine's and the instance type's word, less reserve, overcommitted."""
    nano_cpus = min(engine.capacity.nano_cpus, machine.nano_cpus)
    return plan.offered(Resources(nano_cpus, min(engine.capacity.memory_bytes, machine.memory_bytes)))


def labels_of(pool: Pool, instance: InstanceFacts) -> dict[str, str]:
    """The labels of a pool's node, as far as EC2 knows them."""
    return {
        **pool.labels,
        "pool": pool.name,
        "zone": instance.availability_zone,
        "instance-type": instance.instance_type,
        "lifecycle": instance.lifecycle,
        **({"ami": instance.image_id} if instance.image_id else {}),
    }
