"""Auto Scaling over moto: groups that live as AWS documents, with hooks, wait states, limits, activities and events."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor

from moto import backends
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, FakeScalingPolicy, InstanceState
from moto.ec2.models import EC2Backend

from local.aws import template_versions
from local.aws.autoscaling_api import AutoScalingApi
from local.aws.autoscaling_state import GroupSize, State, Timing, size_of
from local.aws.builders import Builders
from local.aws.events import Emitter
from local.aws.instances import Ec2Machines
from local.aws.launching import Launcher
from local.aws.lifecycle_api import LifecycleApi
from local.aws.members_api import MembersApi
from local.aws.patching import Gate, Patches
from local.aws.refreshes import Refreshes
from local.aws.refreshing import Refreshing
from local.aws.scaling_pass import ScalingPass
from local.aws.terminating import Terminator
from local.machines import Machines

__all__ = ["AutoScaling", "Timing"]

logger = logging.getLogger(__name__)


class AutoScaling:
    """The groups of one region. `install` changes moto; `start` runs the groups; `step` runs them once by hand.

    Thread-safe. The groups' events leave after the lock is released.
    """

    def __init__(
        self,
        backend: AutoScalingBackend,
        ec2: EC2Backend,
        machines: Machines,
        bus: Emitter,
        *,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
        executor: Executor | None = None,
    ) -> None:
        self.instances = Ec2Machines(ec2, machines, bus, clock=clock, executor=executor, on_change=self.poke)
        self.state = State(backend, self.instances, timing or Timing(), clock)
        launcher = Launcher(self.state)
        self._terminator = Terminator(self.state, launcher)
        self._refreshing = Refreshing(self.state, self._terminator, self._in_alarm)
        self._pass = ScalingPass(self.state, launcher, self._terminator, self._refreshing)
        self._bus = bus
        self._lock = threading.RLock()
        self._emitting = threading.Lock()
        self._wake = threading.Condition()
        self._poked = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._patches = Patches()

    def install(self) -> None:
        """Make moto's Auto Scaling and EC2 behave as described; `uninstall` undoes it."""
        self.instances.install()
        Builders(self.instances).install(self._patches)
        template_versions.install(self._patches)
        self._patches.replace(InstanceState, "launch_template", property(self._launched_from))
        self._patches.replace(FakeAutoScalingGroup, "set_desired_capacity", _store_desired)
        self._patches.replace(AutoScalingBackend, "set_desired_capacity", self._desired_by_policy())
        self._patches.replace(AutoScalingBackend, "notify_terminate_instances", lambda backend, instance_ids: None)
        gate = Gate(self._lock, self.poke)
        AutoScalingApi(self.state, gate).install(self._patches)
        MembersApi(self.state, self._terminator, gate).install(self._patches)
        LifecycleApi(self.state, self._terminator, gate).install(self._patches)
        Refreshes(self.state, gate, self._refreshing).install(self._patches)

    def uninstall(self) -> None:
        """Stop, and restore moto as it was. Machines are left to whoever owns them."""
        self.stop()
        self._patches.undo()
        self.instances.uninstall()

    def start(self) -> None:
        """Run the groups in a thread of their own."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="autoscaling", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; may be called twice."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def poke(self) -> None:
        """Let the thread look at the groups now."""
        with self._wake:
            self._poked = True
            self._wake.notify_all()

    def step(self) -> None:
        """Do everything that is due, until nothing moves; then put the events on the bus."""
        with self._lock:
            self._pass.run()
        with self._emitting:  # keeps the order in which things happened
            while self.state.outbox:
                self.state.outbox.popleft().put(self._bus)

    def sizes(self) -> tuple[GroupSize, ...]:
        """How large every group is and is to be, and its instances' lifecycle states, at one moment."""
        with self._lock:
            return tuple(size_of(group) for group in self.state.groups())

    def run_policy(self, policy_arn: str) -> str | None:
        """Run a simple scaling policy as an alarm's action; None, or why it did nothing."""
        with self._lock:
            policy = next((p for p in self.state.backend.policies.values() if p.arn == policy_arn), None)
            if policy is None:
                return "there is no such scaling policy"
            refusal = self._policy_refusal(policy)
            if refusal is None:
                policy.execute()
        self.poke()
        return refusal

    def _launched_from(self, shown: InstanceState) -> dict[str, str] | None:
        """The template's version that an instance was launched from; moto tells the template's default."""
        member = self.state.members.get(shown.instance_id)
        group = None if member is None else self.state.backend.autoscaling_groups.get(member.group)
        if member is None or group is None or group.ec2_launch_template is None or not member.template_version:
            return None  # an attached instance was launched from none of the group's
        template = group.ec2_launch_template
        return {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Version": str(member.template_version),
        }

    def _in_alarm(self, name: str) -> bool:
        """As CloudWatch of the same account and region has it; an alarm that isn't there is in no state."""
        own = self.state.backend
        alarm = backends.get_backend("cloudwatch")[own.account_id][own.region_name].alarms.get(name)
        return alarm is not None and alarm.state_value == "ALARM"

    def _policy_refusal(self, policy: FakeScalingPolicy) -> str | None:
        if policy.policy_type != "SimpleScaling":
            return f"{policy.policy_type} policies are not emulated"
        group = self.state.group(policy.auto_scaling_group_name)
        if self.state.suspended(group, "AlarmNotification"):
            return "the group's AlarmNotification process is suspended"
        return None

    def _desired_by_policy(self) -> Callable[[AutoScalingBackend, str, int | None], None]:
        def set_desired_capacity(backend: AutoScalingBackend, group_name: str, desired: int | None) -> None:
            """What a policy asks for is kept within the group's bounds, as on AWS."""
            group = self.state.group(group_name)
            wanted = min(max(desired or 0, group.min_size or 0), group.max_size or 0)
            self.state.set_desired(group, wanted, "a monitor alarm triggered a scaling policy")

        return set_desired_capacity

    def _run(self) -> None:
        while not self._stopping:
            try:
                self.step()
            except Exception:  # one group's trouble must not end all groups
                logger.exception("auto scaling step failed")
            with self._wake:
                if not self._poked and not self._stopping:
                    self._wake.wait(max(0.05, self._pass.next_due() - self.state.clock()))
                self._poked = False


def _store_desired(group: FakeAutoScalingGroup, new_capacity: int | None) -> None:
    """moto would launch and terminate here; the groups' own pass does."""
    group.desired_capacity = group.min_size if new_capacity is None else new_capacity
