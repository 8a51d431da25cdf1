"""Auto Scaling groups whose instances wait in lifecycle hooks until somebody completes the action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from swarmkeeper.domain.model import Hook, NodeId, Resources
from swarmkeeper.errors import InvariantBroken, UnsafeAction
from swarmkeeper.ports import Group, GroupInstance, InstanceFacts
from tests.fakes.faults import Fallible, can_fail

JOIN, LEAVE = "join", "leave"
HOOK_TIMEOUT_S = 600.0
ENDING = ("Terminating", "Terminating:Wait", "Terminating:Proceed", "Terminated")
TYPES = {
    "t3.micro": Resources(2 * 10**9, 2**30),
    "t3.small": Resources(2 * 10**9, 2 * 2**30),
    "m5.large": Resources(2 * 10**9, 8 * 2**30),
}


@dataclass(frozen=True, slots=True)
class Completion:
    """A lifecycle action that somebody completed."""

    node_id: NodeId
    hook: str
    proceed: bool


@dataclass(slots=True)
class FakeFleet(Fallible):
    """Groups are made with `add_group`; nothing launches until `launch` or `launch_missing`.

    An instance launches into Pending:Wait with hook `join` and ends through Terminating:Wait with hook `leave`.
    """

    now: float = 1_700_000_000.0
    types: Mapping[str, Resources] = field(default_factory=lambda: dict(TYPES))
    completions: list[Completion] = field(default_factory=list)
    heartbeats: list[NodeId] = field(default_factory=list)
    desired_log: list[tuple[str, int]] = field(default_factory=list)
    terminated: list[NodeId] = field(default_factory=list)
    replaced: list[NodeId] = field(default_factory=list)
    actions: dict[NodeId, Hook] = field(default_factory=dict)
    refreshes: set[str] = field(default_factory=set)
    machine_image: str = ""
    """What instances are launched from, by EC2's word."""
    images: dict[str, str] = field(default_factory=dict)
    _groups: dict[str, Group] = field(default_factory=dict)
    _instances: dict[NodeId, InstanceFacts] = field(default_factory=dict)
    _launched: int = 0

    def __post_init__(self) -> None:
        Fallible.__init__(self)

    # What a test arranges.
    def add_group(self, name: str, *, min: int = 0, max: int = 10, desired: int = 0) -> Group:
        self._groups[name] = Group(name, min, max, desired)
        return self._groups[name]

    def launch(self, group: str, node_id: str = "", *, instance_type: str = "t3.small") -> Hook:
        """Launch an instance into its launch hook; returns the action that waits."""
        self._launched += 1
        number = self._launched
        node = NodeId(node_id or f"i-{number:017x}")
        address = f"10.42.{number // 250}.{number % 250 + 4}"
        self._instances[node] = InstanceFacts(
            node, address, instance_type, "eu-central-1a", running=True, group=group, image_id=self.machine_image
        )
        self._put(group, GroupInstance(node, "Pending:Wait"))
        return self._wait(group, JOIN, node)

    def launch_missing(self, group: str) -> list[Hook]:
        """Launch what the group's desired capacity lacks."""
        here = self._groups[group]
        alive = [instance for instance in here.instances if instance.lifecycle not in ENDING]
        return [self.launch(group) for _ in range(here.desired - len(alive))]

    def in_service(self, group: str, node_id: str = "", *, instance_type: str = "t3.small") -> NodeId:
        """Launch an instance and complete its hook."""
        hook = self.launch(group, node_id, instance_type=instance_type)
        node = next(node for node, waiting in self.actions.items() if waiting == hook)
        self._end_action(node, "InService")
        return node

    def begin_termination(self, node_id: NodeId) -> Hook:
        """The group ends the instance for reasons of its own (health, spot); returns the action that waits."""
        group = self._instances[node_id].group
        self._put(group, GroupInstance(node_id, "Terminating:Wait"))
        return self._wait(group, LEAVE, node_id)

    def vanish(self, node_id: NodeId) -> None:
        """The instance is gone without a hook."""
        self.actions.pop(node_id, None)
        self._end(node_id)

    def shut_down(self, node_id: NodeId) -> None:
        """The instance runs no longer, and has not ended for good: it is stopped, or still shutting down."""
        self._instances[node_id] = replace(self._instances[node_id], running=False)

    def suspend(self, group: str, *processes: str) -> None:
        here = self._groups[group]
        self._groups[group] = replace(here, suspended=here.suspended | set(processes))

    def stand_by(self, node_id: str) -> None:
        """Somebody has put the instance into standby: its group doesn't count it."""
        node = NodeId(node_id)
        self._put(self._instances[node].group, GroupInstance(node, "Standby"))

    # The port.
    @can_fail
    def group(self, group: str) -> Group:
        if group not in self._groups:
            raise InvariantBroken(f"there is no Auto Scaling group {group}")
        return self._groups[group]

    @can_fail
    def set_desired(self, group: str, desired: int) -> None:
        here = self._groups[group]
        if not here.min <= desired <= here.max:
            raise UnsafeAction(f"{group}: {desired} is outside {here.min} to {here.max}")
        self._groups[group] = replace(here, desired=desired)
        self.desired_log.append((group, desired))

    @can_fail
    def refreshing(self, group: str) -> bool:
        return group in self.refreshes

    @can_fail
    def image_id(self, group: str) -> str:
        return self.images.get(group, "")

    @can_fail
    def terminate(self, node_id: NodeId) -> None:
        facts = self._instances.get(node_id)
        if facts is None or self._lifecycle(facts) in (None, *ENDING):
            return
        here = self._groups[facts.group]
        if here.desired - 1 < here.min:
            raise UnsafeAction(f"{here.name}: {here.desired} less one is below its min of {here.min}")
        self._groups[here.name] = replace(here, desired=here.desired - 1)
        self.terminated.append(node_id)
        self.begin_termination(node_id)

    @can_fail
    def replace(self, node_id: NodeId) -> None:
        facts = self._instances.get(node_id)
        if facts is None or self._lifecycle(facts) in (None, *ENDING):
            return
        self.replaced.append(node_id)
        self.begin_termination(node_id)

    @can_fail
    def complete(self, hook: Hook, node_id: NodeId, *, proceed: bool) -> bool:
        if not self._waits(hook, node_id):
            return False
        self.completions.append(Completion(node_id, hook.name, proceed))
        if hook.name == JOIN and proceed:
            self._end_action(node_id, "InService")
        else:
            self.vanish(node_id)
        return True

    @can_fail
    def heartbeat(self, hook: Hook, node_id: NodeId) -> bool:
        if not self._waits(hook, node_id):
            return False
        self.heartbeats.append(node_id)
        return True

    @can_fail
    def instance(self, node_id: NodeId) -> InstanceFacts | None:
        return self._instances.get(node_id)

    @can_fail
    def instances(self, node_ids: Sequence[NodeId]) -> tuple[InstanceFacts, ...]:
        return tuple(self._instances[node_id] for node_id in node_ids if node_id in self._instances)

    @can_fail
    def type_capacity(self, instance_type: str) -> Resources:
        return self.types[instance_type]

    def _wait(self, group: str, name: str, node_id: NodeId) -> Hook:
        hook = Hook(group, name, f"token-{name}-{node_id}", self.now + HOOK_TIMEOUT_S)
        self.actions[node_id] = hook
        return hook

    def _waits(self, hook: Hook, node_id: NodeId) -> bool:
        waiting = self.actions.get(node_id)
        # The deadline moves with each heartbeat, so it doesn't tell actions apart.
        if waiting is None or (waiting.group, waiting.name) != (hook.group, hook.name):
            return False
        return hook.token in ("", waiting.token)  # AWS takes the instance's id where the token is not known

    def _end_action(self, node_id: NodeId, lifecycle: str) -> None:
        del self.actions[node_id]
        self._put(self._instances[node_id].group, GroupInstance(node_id, lifecycle))

    def _end(self, node_id: NodeId) -> None:
        facts = self._instances[node_id]
        here = self._groups[facts.group]
        left = tuple(instance for instance in here.instances if instance.id != node_id)
        self._groups[facts.group] = replace(here, instances=left)
        self._instances[node_id] = replace(facts, running=False, terminated=True)

    def _put(self, group: str, instance: GroupInstance) -> None:
        here = self._groups[group]
        others = tuple(other for other in here.instances if other.id != instance.id)
        self._groups[group] = replace(here, instances=(*others, instance))

    def _lifecycle(self, facts: InstanceFacts) -> str | None:
        members = self._groups[facts.group].instances
        return next((member.lifecycle for member in members if member.id == facts.id), None)
