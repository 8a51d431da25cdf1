"""One emulated account whose Auto Scaling groups a test steps by hand."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local.aws.autoscaling import AutoScaling, Timing
from local.aws.server import AwsServer
from tests.unit.local.cloud_fakes import FakeMachines, InlineExecutor, ManualClock, RecordingBus

GROUP = "demo-web"
LAUNCH, TERMINATE = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"
JOIN = {"LifecycleHookName": "join", "LifecycleTransition": LAUNCH, "HeartbeatTimeout": 300}
LEAVE = {"LifecycleHookName": "leave", "LifecycleTransition": TERMINATE, "HeartbeatTimeout": 60}


@dataclass
class Cloud:
    """One emulated account, stepped by hand."""

    server: AwsServer
    scaling: AutoScaling
    machines: FakeMachines
    bus: RecordingBus
    clock: ManualClock
    subnets: list[str]

    @property
    def api(self) -> Any:
        return self.server.client("autoscaling")

    def make_group(self, name: str = GROUP, **settings: Any) -> None:
        defaults: dict[str, Any] = {
            "MinSize": 0,
            "MaxSize": 6,
            "LaunchTemplate": {"LaunchTemplateName": "node", "Version": "$Latest"},
            "VPCZoneIdentifier": ",".join(self.subnets),
        }
        self.api.create_auto_scaling_group(AutoScalingGroupName=name, **(defaults | settings))
        self.scaling.step()

    def group(self, name: str = GROUP) -> Any:
        return self.api.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]

    def states(self, name: str = GROUP) -> list[str]:
        return [instance["LifecycleState"] for instance in self.group(name)["Instances"]]

    def ids(self, name: str = GROUP) -> list[str]:
        return [instance["InstanceId"] for instance in self.group(name)["Instances"]]

    def desire(self, desired: int, **more: Any) -> None:
        self.api.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=desired, **more)
        self.scaling.step()

    def complete(self, instance_id: str, hook: str = "join", result: str = "CONTINUE", **more: Any) -> None:
        self.api.complete_lifecycle_action(
            AutoScalingGroupName=GROUP,
            LifecycleHookName=hook,
            InstanceId=instance_id,
            LifecycleActionResult=result,
            **more,
        )
        self.scaling.step()

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.scaling.step()

    def activities(self) -> list[Any]:
        return list(self.api.describe_scaling_activities(AutoScalingGroupName=GROUP)["Activities"])

    def ec2_instance(self, instance_id: str) -> Any:
        answer = self.server.client("ec2").describe_instances(InstanceIds=[instance_id])
        return answer["Reservations"][0]["Instances"][0]


def prepare_account(server: AwsServer) -> list[str]:
    """A VPC with two subnets in two zones, and a launch template named `node`."""
    ec2 = server.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.90.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.90.{n}.0/24", AvailabilityZone=f"{server.region}{zone}")["Subnet"]
        for n, zone in enumerate("ab")
    ]
    ec2.create_launch_template(
        LaunchTemplateName="node",
        LaunchTemplateData={
            "ImageId": "ami-12345678",
            "InstanceType": "m6g.large",
            "UserData": base64.b64encode(b"#!/bin/sh\necho hello\n").decode(),
            "IamInstanceProfile": {"Name": "node-profile"},
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "kind", "Value": "node"}]}],
        },
    )
    return [subnet["SubnetId"] for subnet in subnets]


@contextmanager
def node_account() -> Iterator[AwsServer]:
    """One server for all tests of a module: an account's managed policies take seconds to load."""
    with AwsServer() as running:
        iam = running.client("iam")
        iam.create_role(RoleName="node-role", AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName="node-profile")
        iam.add_role_to_instance_profile(InstanceProfileName="node-profile", RoleName="node-role")
        yield running


def empty(server: AwsServer) -> None:
    """Drop the instances, networks, alarms and groups of an earlier test."""
    for service in ("ec2", "autoscaling", "cloudwatch"):
        server.backend(service).reset()


@contextmanager
def fresh_cloud(server: AwsServer) -> Iterator[Cloud]:
    """An account with nothing in it yet but a network and a launch template."""
    empty(server)
    machines, bus, clock = FakeMachines(), RecordingBus(), ManualClock()
    scaling = AutoScaling(
        server.backend("autoscaling"),
        server.backend("ec2"),
        machines,
        bus,
        timing=Timing(health_check_s=10, back_off_s=15, longest_back_off_s=60),
        clock=clock,
        executor=InlineExecutor(),
    )
    subnets = prepare_account(server)
    scaling.install()
    try:
        yield Cloud(server, scaling, machines, bus, clock, subnets)
    finally:
        scaling.uninstall()
