"""A manager's slot: a network interface and a volume that outlive its instances."""

from __future__ import annotations

from typing import Self

from aws_cdk import Fn, RemovalPolicy, Stack, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.names import FLEET_TAG, POOL_TAG, Names
from infra.network import FleetNetwork
from infra.permissions import allow
from swarmkeeper.edge.settings import PoolSettings
from swarmkeeper.edge.settings_retained import RetainedState

VOLUME_GB = 8
"""The engine sets 64 MB aside for the log of the Swarm's store at once; the state of a thousand nodes is less."""
PLACEHOLDER = "VOLUME=''"
"""In the user data: what the volume's id is put into."""


class Slot(Construct):
    """Both lie in one zone. An interface is on one instance at a time, and so is a volume: EC2 refuses a second."""

    def __init__(
        self,
        scope: Construct,
        pool: str,
        retained: RetainedState,
        names: Names,
        network: FleetNetwork,
        groups: list[str],
    ) -> None:
        super().__init__(scope, "Slot")
        subnet = network.private_subnets[retained.zone - 1]
        self.zone = subnet.availability_zone
        self._interface = ec2.CfnNetworkInterface(
            self,
            "Interface",
            subnet_id=subnet.subnet_id,
            group_set=groups,
            description=f"The manager of pool {pool} of fleet {names.fleet}",
        )
        self.volume = ec2.CfnVolume(
            self, "Volume", availability_zone=self.zone, size=VOLUME_GB, volume_type="gp3", encrypted=True
        )
        self.volume.apply_removal_policy(RemovalPolicy.RETAIN)
        for thing in (self._interface, self.volume):
            for key, value in {"Name": names.group(pool), FLEET_TAG: names.fleet, POOL_TAG: pool}.items():
                Tags.of(thing).add(key, value)

    @classmethod
    def of(
        cls, scope: Construct, pool: str, settings: PoolSettings, names: Names, network: FleetNetwork, role: iam.Role
    ) -> Self | None:
        """The pool's slot, where it has one; its instances may attach the volume to themselves."""
        if settings.retain_state is None:
            return None
        slot = cls(scope, pool, settings.retain_state, names, network, network.groups_of(settings.role))
        slot._let_attach(role, names)
        return slot

    @property
    def as_primary(self) -> ec2.CfnLaunchTemplate.NetworkInterfaceProperty:
        """The interface as an instance's first; with another's on it, EC2 launches none."""
        return ec2.CfnLaunchTemplate.NetworkInterfaceProperty(
            device_index=0, network_interface_id=self._interface.attr_id
        )

    def told(self, user_data: str) -> str:
        """The user data with the volume's id."""
        before, after = user_data.split(PLACEHOLDER)
        return Fn.join("", [f"{before}{PLACEHOLDER[:-1]}", self.volume.ref, f"'{after}"])

    def _let_attach(self, role: iam.Role, names: Names) -> None:
        stack = Stack.of(self)
        ours = {"StringEquals": {f"aws:ResourceTag/{FLEET_TAG}": names.fleet}}
        volume = stack.format_arn(service="ec2", resource="volume", resource_name=self.volume.ref)
        instances = stack.format_arn(service="ec2", resource="instance", resource_name="*")
        allow(role, ["ec2:AttachVolume"], [volume])
        allow(role, ["ec2:AttachVolume"], [instances], ours)
