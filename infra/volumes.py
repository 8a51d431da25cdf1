"""The file system of shared volumes."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_efs as efs
from constructs import Construct

from infra.functions import PLANS, FleetFunctions
from infra.names import Names
from infra.network import FleetNetwork
from swarmkeeper.adapters.engine.storage_source import IMAGE_VARIABLE, SERVER_VARIABLE
from swarmkeeper.edge.settings_volumes import VolumeSettings

NFS = ec2.Port.tcp(2049)


class FleetVolumes(Construct):
    """As the settings ask for; nothing where they ask for nothing."""

    def __init__(
        self,
        scope: Construct,
        settings: VolumeSettings,
        names: Names,
        network: FleetNetwork,
        functions: FleetFunctions,
        *,
        join_image: str,
    ) -> None:
        super().__init__(scope, "Volumes")
        self._names = names
        self._network = network
        self._functions = functions
        if settings.shared is not None:
            self._tell(IMAGE_VARIABLE, join_image)
        if settings.shared is not None and settings.shared.kind == "efs":
            self._tell(SERVER_VARIABLE, self._file_system())

    def _file_system(self) -> str:
        """A file system with an address in each zone; its name."""
        files = efs.CfnFileSystem(
            self,
            "Files",
            encrypted=True,
            throughput_mode="elastic",
            backup_policy=efs.CfnFileSystem.BackupPolicyProperty(status="ENABLED"),
            file_system_tags=[efs.CfnFileSystem.ElasticFileSystemTagProperty(key="Name", value=self._names.fleet)],
        )
        # Tenants' state outlives the stack.
        files.apply_removal_policy(RemovalPolicy.RETAIN)
        group = ec2.SecurityGroup(
            self, "Access", vpc=self._network.vpc, description="Shared volumes", allow_all_outbound=False
        )
        group.connections.allow_from(self._network.workers, NFS, "Shared volumes of containers")
        subnets = self._network.vpc.select_subnets(subnet_type=self._network.private).subnet_ids
        for number, subnet in enumerate(subnets, start=1):
            efs.CfnMountTarget(
                self,
                f"Address{number}",
                file_system_id=files.ref,
                subnet_id=subnet,
                security_groups=[group.security_group_id],
            )
        stack = Stack.of(self)
        return f"{files.ref}.efs.{stack.region}.{stack.url_suffix}"

    def _tell(self, variable: str, value: str) -> None:
        """Tell the functions that make containers."""
        for name, plan in PLANS.items():
            if plan.calls_engines:
                self._functions.by_name[name].add_environment(variable, value)
