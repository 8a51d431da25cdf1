"""The pools: what an instance is born with, the group it belongs to, and its lifecycle hooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aws_cdk import CfnParameter, CustomResource, Duration, Fn, Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, IDependable

from infra.names import FLEET_TAG, JOIN_HOOK, LEAVE_HOOK, POOL_TAG, Names
from infra.network import FleetNetwork
from infra.node_role import let_measure, node_role
from infra.slots import Slot
from swarmkeeper.domain.model import Role
from swarmkeeper.edge.settings import PoolSettings
from swarmkeeper.edge.settings_monitoring import MonitoringSettings
from swarmkeeper.edge.settings_scaling import PoolScaling

HERE = Path(__file__).parent
STOCK_IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
ROOT_DEVICE, ROOT_GB = "/dev/xvda", 50
WINDOWS_ROOT_DEVICE, WINDOWS_ROOT_GB = "/dev/sda1", 100
"""The base images of Windows containers alone are some gigabytes each."""
ON_DEMAND = {"onDemandAllocationStrategy": "prioritized", "onDemandPercentageAboveBaseCapacity": 100}
"""The first type, in the order given, that AWS has."""
SPOT = {
    "onDemandBaseCapacity": 0,
    "onDemandPercentageAboveBaseCapacity": 0,
    "spotAllocationStrategy": "price-capacity-optimized",
}
"""Of all types the one that is least likely to be taken back, at a low price; AWS advises against `lowest-price`."""


class NodePool(Construct):
    """One Auto Scaling group whose instances nobody but Swarmkeeper removes."""

    def __init__(
        self,
        scope: Construct,
        pool: str,
        settings: PoolSettings,
        names: Names,
        network: FleetNetwork,
        *,
        projects_arn: str,
        scaling: PoolScaling,
        logs_in: bool,
        monitoring: MonitoringSettings,
    ) -> None:
        super().__init__(scope, f"Pool-{pool}")
        self.pool = pool
        self._settings = settings
        # For a price EC2 measures each minute instead of each five.
        self._detailed_monitoring = settings.role is Role.WORKER and scaling.tracks_cpu_each_minute
        self._names = names
        self._network = network
        self.role = node_role(self, names, settings.role, projects_arn, logs_in=logs_in)
        let_measure(self.role, names, monitoring)
        self.slot = Slot.of(self, pool, settings, names, network, self.role)
        template = self._launch_template(self._image())
        self.group = self._group(template)

    def _image(self) -> str:
        """The pool's AMI: a parameter of the stack, so that an image can be rolled without a new template."""
        base = "Windows Server, with an engine" if self._is_windows else "Amazon Linux 2023, stock or baked"
        given = self._settings.node_image or STOCK_IMAGE.format(architecture=self._settings.architecture)
        kind = "AWS::EC2::Image::Id"
        parameter = CfnParameter(
            Stack.of(self),
            f"NodeImage{self.pool.title().replace('-', '')}",
            type=kind if given.startswith("ami-") else f"AWS::SSM::Parameter::Value<{kind}>",
            default=given,
            description=f"Machine image of pool {self.pool}: based on {base}",
        )
        return parameter.value_as_string

    def _launch_template(self, image: str) -> ec2.CfnLaunchTemplate:
        profile = iam.CfnInstanceProfile(self, "Profile", roles=[self.role.role_name])
        tags = [{"key": key, "value": value} for key, value in self._tags().items()]
        data = ec2.CfnLaunchTemplate.LaunchTemplateDataProperty(
            image_id=image,
            instance_type=self._settings.instance_types[0],
            iam_instance_profile={"arn": profile.attr_arn},
            # An instance born into a slot has the slot's interface, which has the groups.
            security_group_ids=None if self.slot else self._network.groups_of(self._settings.role),
            network_interfaces=[self.slot.as_primary] if self.slot else None,
            # One hop: a container's packets make two, so it can't take the node's role.
            metadata_options={"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1},
            block_device_mappings=[
                {
                    "deviceName": WINDOWS_ROOT_DEVICE if self._is_windows else ROOT_DEVICE,
                    "ebs": {
                        "volumeType": "gp3",
                        "volumeSize": WINDOWS_ROOT_GB if self._is_windows else ROOT_GB,
                        "encrypted": True,
                        "deleteOnTermination": True,
                    },
                }
            ],
            tag_specifications=[{"resourceType": "volume", "tags": tags}],
            monitoring={"enabled": True} if self._detailed_monitoring else None,
            user_data=Fn.base64(self._user_data()),
        )
        return ec2.CfnLaunchTemplate(
            self, "Template", launch_template_name=self._names.group(self.pool), launch_template_data=data
        )

    @property
    def _is_windows(self) -> bool:
        return self._settings.os == "windows"

    def _user_data(self) -> str:
        name = "user_data.ps1" if self._is_windows else "user_data.sh"
        text = (HERE / name).read_text(encoding="utf-8")
        return self.slot.told(text) if self.slot else text

    def _tags(self) -> dict[str, str]:
        return {"Name": self._names.group(self.pool), FLEET_TAG: self._names.fleet, POOL_TAG: self.pool}

    def _group(self, template: ec2.CfnLaunchTemplate) -> autoscaling.CfnAutoScalingGroup:
        has_router = self._settings.role is Role.WORKER and not self._is_windows
        routers = [self._network.routers.target_group_arn] if has_router else None
        return autoscaling.CfnAutoScalingGroup(
            self,
            "Group",
            auto_scaling_group_name=self._names.group(self.pool),
            # No desired capacity: a deployment must not resize a live fleet.
            min_size=str(self._settings.min),
            max_size=str(self._settings.max),
            **self._places(),
            # The load balancer's health check only routes; an instance is replaced when EC2 says so.
            health_check_type="EC2",
            new_instances_protected_from_scale_in=True,
            capacity_rebalance=False,
            target_group_arns=routers,
            lifecycle_hook_specification_list=self._hooks(),
            tags=[
                autoscaling.CfnAutoScalingGroup.TagPropertyProperty(key=key, value=value, propagate_at_launch=True)
                for key, value in self._tags().items()
            ],
            **self._instances(template),
        )

    def _places(self) -> dict[str, Any]:  # keyword arguments of one call
        """The subnets; for a slot its zone alone, as its interface says the rest."""
        if self.slot:
            return {"availability_zones": [self.slot.zone]}
        return {"vpc_zone_identifier": [subnet.subnet_id for subnet in self._network.private_subnets]}

    def _instances(self, template: ec2.CfnLaunchTemplate) -> dict[str, Any]:  # keyword arguments of one call
        version = autoscaling.CfnAutoScalingGroup.LaunchTemplateSpecificationProperty(
            launch_template_id=template.ref, version=template.attr_latest_version_number
        )
        types, on_spot = self._settings.instance_types, self._settings.purchase == "spot"
        if not is_mixed(self._settings):
            return {"launch_template": version}
        return {
            "mixed_instances_policy": {
                "launchTemplate": {
                    "launchTemplateSpecification": version,
                    "overrides": [{"instanceType": kind} for kind in types],
                },
                "instancesDistribution": SPOT if on_spot else ON_DEMAND,
            }
        }

    def _hooks(self) -> list[autoscaling.CfnAutoScalingGroup.LifecycleHookSpecificationProperty]:
        hook = autoscaling.CfnAutoScalingGroup.LifecycleHookSpecificationProperty
        return [
            hook(
                lifecycle_hook_name=JOIN_HOOK,
                lifecycle_transition="autoscaling:EC2_INSTANCE_LAUNCHING",
                # An instance that nobody has vouched for never serves.
                default_result="ABANDON",
                heartbeat_timeout=self._settings.launch_limit,
            ),
            hook(
                lifecycle_hook_name=LEAVE_HOOK,
                lifecycle_transition="autoscaling:EC2_INSTANCE_TERMINATING",
                # The instance ends either way. CONTINUE lets hooks that others have added finish first, ABANDON
                # would cut them off. What protects the tenants is the drain's heartbeats, not this value.
                default_result="CONTINUE",
                heartbeat_timeout=self._settings.leave_heartbeat_s,
            ),
        ]


def is_mixed(pool: PoolSettings) -> bool:
    """Whether its group has a policy of mixed instances: several types, or spot."""
    return len(pool.instance_types) > 1 or pool.purchase == "spot"


def launch_after(pools: Sequence[NodePool], needed: Sequence[IDependable]) -> None:
    """Create the groups after all that their first instances meet."""
    for pool in pools:
        for thing in needed:
            pool.group.node.add_dependency(thing)
        pool.group.node.add_dependency(pool.role)


def suspend_rebalancing(scope: Construct, names: Names, pools: Sequence[NodePool]) -> None:
    """Suspend AZRebalance on every group: it would end protected instances of the fuller zone.

    When the stack is deleted the same resource takes the instances' protection off, before its group goes.
    """
    function = lambda_.Function(
        scope,
        "Suspend",
        function_name=names.of("suspend"),
        runtime=lambda_.Runtime.PYTHON_3_13,
        architecture=lambda_.Architecture.ARM_64,
        handler="index.handler",
        code=lambda_.Code.from_inline((HERE / "suspend.py").read_text(encoding="utf-8")),
        timeout=Duration.minutes(1),
        initial_policy=[
            iam.PolicyStatement(
                actions=["autoscaling:SuspendProcesses", "autoscaling:SetInstanceProtection"],
                resources=[names.group_arn(Stack.of(scope), pool.pool) for pool in pools],
            ),
            # Reads of groups can't be limited to some of them.
            iam.PolicyStatement(actions=["autoscaling:DescribeAutoScalingGroups"], resources=["*"]),
        ],
    )
    for pool in pools:
        resource = CustomResource(
            pool,
            "NoRebalancing",
            resource_type="Custom::SuspendedProcesses",
            service_token=function.function_arn,
            service_timeout=Duration.minutes(5),
            properties={"AutoScalingGroupName": pool.group.ref, "ScalingProcesses": ["AZRebalance"]},
        )
        # The policy is a resource of its own that the function's ARN doesn't wait for.
        resource.node.add_dependency(function)
