"""EC2 instances with a machine behind each: moto keeps what EC2 shows, the machines do the work."""

from __future__ import annotations

import base64
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from threading import RLock
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.types import Base64EncodedString
from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance as Ec2Instance
from moto.ec2.models.instances import InstanceBackend, InstanceState
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.ec2.utils import filter_iam_instance_profiles
from werkzeug.exceptions import HTTPException

from local.aws.attachments import Attachments
from local.aws.capacity import Capacity, lacking
from local.aws.events import Emitter, Event
from local.aws.patching import Patches
from local.machines import Instance, MachineError, Machines

logger = logging.getLogger(__name__)


class Ec2State(IntEnum):
    """EC2's codes of instance states."""

    PENDING = 0
    RUNNING = 16
    SHUTTING_DOWN = 32
    TERMINATED = 48
    STOPPING = 64
    STOPPED = 80

    @property
    def label(self) -> str:
        """EC2's name of the state."""
        return self.name.lower().replace("_", "-")


class LaunchRefusedError(Exception):
    """EC2 didn't make the instance; the text is what an activity would say."""


class NoCapacityError(LaunchRefusedError):
    """EC2 has none of this type now; another type may do."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What a group asks of EC2 for one instance."""

    template: LaunchTemplateVersion
    subnet_id: str
    zone: str
    tags: Mapping[str, str]
    instance_type: str = ""
    """Overrides the template's."""
    group: str = ""
    other_zones: tuple[str, ...] = ()
    is_spot: bool = False

    @property
    def type(self) -> str:
        return str(self.instance_type or self.template.instance_type or "m5.large")


class Ec2Machines:
    """EC2's instances and their machines. Thread-safe; machines start and stop in the background.

    `on_change` is called, from any thread, when an instance's state may have changed.
    """

    def __init__(
        self,
        ec2: EC2Backend,
        machines: Machines,
        bus: Emitter,
        *,
        clock: Callable[[], float] = time.time,
        executor: Executor | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.ec2 = ec2
        self.machines = machines
        self.on_change = on_change
        self.capacity = Capacity(on_change=lambda: self.on_change())
        self._bus = bus
        self._clock = clock
        self._pool = executor or ThreadPoolExecutor(max_workers=8, thread_name_prefix="machines")
        self._lock = RLock()
        self._booted: dict[str, float] = {}
        self._failures: dict[str, str] = {}
        self._freed: deque[tuple[str, str]] = deque()
        self._patches = Patches()
        self._attachments = Attachments(ec2, machines)

    def install(self) -> None:
        """Make every EC2 TerminateInstances end the machine too, and volumes be attached; `uninstall` undoes it."""
        self._attachments.install(self._patches)
        original = InstanceBackend.terminate_instances
        owner = self

        def terminate_instances(
            backend: InstanceBackend, instance_ids: list[str]
        ) -> list[tuple[Ec2Instance, InstanceState]]:
            if backend is not owner.ec2:
                return original(backend, instance_ids)
            return owner._terminate(original, instance_ids)

        self._patches.replace(InstanceBackend, "terminate_instances", terminate_instances)

    def uninstall(self) -> None:
        """Restore moto, and wait for machines that are starting or stopping; what has not begun is dropped."""
        self._patches.undo()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def launch(self, wanted: Launch) -> Ec2Instance:
        """Make an instance, pending until its machine has started (see `failure` and its state).

        Raises LaunchRefusedError with EC2's reason, NoCapacityError when it has no more of the type.
        """
        if not self.capacity.take(wanted.type, wanted.group):
            raise NoCapacityError(lacking(wanted.type, wanted.zone, wanted.other_zones))
        with self._lock:
            instance = self._made(wanted)
            self._attach_profile(instance, wanted.template.data.get("IamInstanceProfile") or {})
            self._show(instance, Ec2State.PENDING)
        self._pool.submit(self._boot, instance)
        return instance

    def boot(self, instance: Ec2Instance) -> None:
        """Start the machine of an instance that no group has made; it is pending until then."""
        with self._lock:
            self._show(instance, Ec2State.PENDING)
        self.submit(lambda: self._boot(instance))

    def submit(self, work: Callable[[], None]) -> None:
        """Have work done where machines are started and stopped."""
        self._pool.submit(work)

    def booted_at(self, instance_id: str) -> float | None:
        """When the machine of a running instance started; None when it has none (any more)."""
        return self._booted.get(instance_id)

    def failure(self, instance_id: str) -> str | None:
        """Why an instance's machine did not start; None when it did, or may still."""
        return self._failures.get(instance_id)

    def note_the_dead(self) -> None:
        """Show as stopped every running instance whose machine has gone, like one that shut itself down."""
        alive = set(self.machines.running())
        for instance_id in [known for known in self._booted if known not in alive]:
            self._booted.pop(instance_id, None)
            instance = self.ec2.get_instance_by_id(instance_id)
            if instance is not None and instance.state_code == Ec2State.RUNNING:
                self._show(instance, Ec2State.STOPPED)
                logger.warning("instance stopped by itself", extra={"instance": instance_id})

    def _made(self, wanted: Launch) -> Ec2Instance:
        try:
            return self._run(wanted)
        except StopIteration:
            self._release_addresses()
        except (ServiceException, HTTPException) as refused:
            raise LaunchRefusedError(_reason(refused)) from refused
        try:
            return self._run(wanted)
        except StopIteration as full:
            raise LaunchRefusedError(
                f"There are not enough free addresses in subnet '{wanted.subnet_id}' to satisfy the requested number"
                " of instances. Launching EC2 instance failed."
            ) from full

    def _run(self, wanted: Launch) -> Ec2Instance:
        data = wanted.template.data
        interface = self._attachments.interface_of(data)
        if self._attachments.holder(interface):
            raise LaunchRefusedError(f"Interface: [{interface}] in use. Launching EC2 instance failed.")
        reservation = self.ec2.run_instances(
            wanted.template.image_id,
            1,
            _encoded(data.get("UserData")),
            [],
            instance_type=wanted.type,
            is_instance_type_default=False,
            subnet_id=wanted.subnet_id or None,
            placement=wanted.zone,
            launch_template={"LaunchTemplateId": wanted.template.template.id, "Version": wanted.template.number},
            security_group_ids=_security_groups(data),
            key_name=data.get("KeyName"),
            metadata_options=data.get("MetadataOptions") or {},
            tags={"instance": dict(wanted.tags)},
            associate_public_ip=None,
            lifecycle="spot" if wanted.is_spot else None,
            region_name=self.ec2.region_name,
            nics=[{"DeviceIndex": 0, "NetworkInterfaceId": interface}] if interface else [],
        )
        instance = reservation.instances[0]
        if interface:
            self._attachments.take(interface, instance)
        return instance

    def _attach_profile(self, instance: Ec2Instance, profile: Mapping[str, str]) -> None:
        if not profile:
            return
        self.ec2.associate_iam_instance_profile(
            instance.id, iam_instance_profile_name=profile.get("Name"), iam_instance_profile_arn=profile.get("Arn")
        )

    def _role(self, instance: Ec2Instance) -> str:
        shown = instance.iam_instance_profile or {}
        if not shown.get("Arn"):
            return ""
        profile = filter_iam_instance_profiles(self.ec2.account_id, self.ec2.partition, shown["Arn"], None)
        return profile.roles[0].name if profile and profile.roles else ""

    def _boot(self, instance: Ec2Instance) -> None:
        try:
            self.machines.start(self._as_machine(instance))
        except MachineError as error:
            with self._lock:
                self._failures[instance.id] = str(error)
        except Exception as error:  # a pool swallows it, and the group would wait for ever
            logger.exception("a machine's start broke", extra={"instance": instance.id})
            with self._lock:
                self._failures[instance.id] = f"Server.InternalError: {error}"
        else:
            self._started(instance)
        self.on_change()

    def _started(self, instance: Ec2Instance) -> None:
        with self._lock:
            wanted = instance.state_code == Ec2State.PENDING
            if wanted:
                self._booted[instance.id] = self._clock()
                self._show(instance, Ec2State.RUNNING)
        if not wanted:  # it was terminated while it started
            self.machines.stop(instance.id)

    def _as_machine(self, instance: Ec2Instance) -> Instance:
        return Instance(
            id=instance.id,
            private_ip=instance.private_ip or "",
            instance_type=instance.instance_type,
            user_data=_decoded(instance.user_data),
            role_name=self._role(instance),
            availability_zone=instance.placement.zone or "",
            hop_limit=instance.metadata_options.http_put_response_hop_limit,
            image_id=instance.image_id or "",
        )

    def _terminate(
        self,
        original: Callable[[InstanceBackend, list[str]], list[tuple[Ec2Instance, InstanceState]]],
        instance_ids: list[str],
    ) -> list[tuple[Ec2Instance, InstanceState]]:
        with self._lock:
            named = self.ec2.get_multi_instances_by_id(instance_ids)
            ending = [i for i in named if i.state_code in (Ec2State.SHUTTING_DOWN, Ec2State.TERMINATED)]
            fresh = [i for i in named if i not in ending]
            result = [(i, InstanceState(i.state, i.state_code)) for i in ending]
            result += original(self.ec2, [i.id for i in fresh]) if fresh else []
            for instance in fresh:
                self._booted.pop(instance.id, None)
                self._show(instance, Ec2State.SHUTTING_DOWN)
        for instance in fresh:
            self._pool.submit(self._end, instance)
        return result

    def _end(self, instance: Ec2Instance) -> None:
        try:
            self.machines.stop(instance.id)
        except Exception:  # a pool swallows it; EC2 shows the instance as gone all the same
            logger.exception("a machine's end broke", extra={"instance": instance.id})
        with self._lock:
            self._show(instance, Ec2State.TERMINATED)
            if not self._attachments.release(instance):
                self._freed.append((instance.subnet_id or "", instance.private_ip or ""))
        self.on_change()

    def _release_addresses(self) -> None:
        """Give the addresses of terminated instances back; only when none is left, as EC2 reuses them late too."""
        while self._freed:
            subnet_id, address = self._freed.popleft()
            self.ec2.get_subnet(subnet_id).del_subnet_ip(address)

    def _show(self, instance: Ec2Instance, state: Ec2State) -> None:
        instance._state = InstanceState(state.label, state.value)
        arn = f"arn:aws:ec2:{self.ec2.region_name}:{self.ec2.account_id}:instance/{instance.id}"
        detail = {"instance-id": instance.id, "state": state.label}
        Event("aws.ec2", "EC2 Instance State-change Notification", detail, (arn,)).put(self._bus)


def _security_groups(data: Mapping[str, Any]) -> list[str]:
    if data.get("SecurityGroupIds"):
        return list(data["SecurityGroupIds"])
    return [group for nic in data.get("NetworkInterfaces") or [] for group in nic.get("Groups") or []]


def _encoded(user_data: object) -> Base64EncodedString | None:
    """User data as moto wants it; CreateLaunchTemplateVersion leaves it a plain string."""
    return None if user_data is None else Base64EncodedString(str(user_data))


def _decoded(user_data: object) -> str:
    return "" if user_data is None else base64.b64decode(str(user_data)).decode()


def _reason(error: ServiceException | HTTPException) -> str:
    return f"{getattr(error, 'message', error)}. Launching EC2 instance failed."
