"""Network interfaces and volumes that outlive instances: one instance has each at a time, as EC2 has it."""

from __future__ import annotations

from collections.abc import Mapping
from threading import RLock
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, VolumeInUseError
from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance as Ec2Instance
from moto.ec2.responses.elastic_block_store import ElasticBlockStore

from local.aws.patching import Patches, Request
from local.machines import MachineError, Machines

RUNNING = 16
"""EC2's code of the state in which an instance takes a volume."""


class Attachments:
    """Who has which. Thread-safe."""

    def __init__(self, ec2: EC2Backend, machines: Machines) -> None:
        self._ec2 = ec2
        self._machines = machines
        self._lock = RLock()
        self._interfaces: dict[str, str] = {}
        """Interface id -> instance id, for those that a launch has named."""
        self._volumes: dict[str, str] = {}

    def install(self, patches: Patches) -> None:
        """Make AttachVolume as strict as EC2, and have the machine see the volume.

        The API's call alone: moto attaches the volumes that instances are born with by its own.
        """
        original = ElasticBlockStore.attach_volume
        owner = self

        def attach_volume(response: ElasticBlockStore) -> ActionResult:
            if response.ec2_backend is not owner._ec2:
                return original(response)
            request = Request(response)
            volume_id, instance_id = request.text("VolumeId"), request.text("InstanceId")
            with owner._lock:
                owner._give(volume_id, instance_id)
                return original(response)

        patches.replace(ElasticBlockStore, "attach_volume", attach_volume)

    def interface_of(self, template: Mapping[str, Any]) -> str:
        """The existing interface that a launch template names; "" when each instance gets one of its own."""
        named = [each.get("NetworkInterfaceId") for each in template.get("NetworkInterfaces") or ()]
        return str(named[0]) if named and named[0] else ""

    def holder(self, interface_id: str) -> str:
        """The instance that has the interface; "" when it is free."""
        with self._lock:
            return self._interfaces.get(interface_id, "")

    def take(self, interface_id: str, instance: Ec2Instance) -> None:
        """The interface is the new instance's."""
        with self._lock:
            self._interfaces[interface_id] = instance.id

    def release(self, instance: Ec2Instance) -> bool:
        """What an instance that has ended had is free again; whether its address stays its interface's."""
        with self._lock:
            for volume_id in [one for one, holder in self._volumes.items() if holder == instance.id]:
                del self._volumes[volume_id]
                self._ec2.get_volume(volume_id).attachment = None
            kept = [one for one, holder in self._interfaces.items() if holder == instance.id]
            for interface_id in kept:
                del self._interfaces[interface_id]
            return bool(kept)

    def _give(self, volume_id: str, instance_id: str) -> None:
        """Refuse what EC2 refuses, else give the volume to the machine."""
        volume, instance = self._ec2.get_volume(volume_id), self._ec2.get_instance(instance_id)
        if volume_id in self._volumes:
            raise VolumeInUseError(volume_id, self._volumes[volume_id])
        if instance.state_code != RUNNING:
            raise EC2ClientError("IncorrectState", f"Instance '{instance_id}' is not 'running'.")
        if instance.placement.zone != volume.zone.name:
            text = f"The volume '{volume_id}' is not in the same availability zone as instance '{instance_id}'"
            raise EC2ClientError("InvalidVolume.ZoneMismatch", text)
        try:
            self._machines.attach(instance_id, volume_id, volume.size)
        except MachineError as error:
            raise EC2ClientError("InternalError", str(error)) from error
        self._volumes[volume_id] = instance_id
