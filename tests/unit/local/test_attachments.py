"""Interfaces and volumes that outlive instances: one instance has each at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.server import AwsServer
from tests.unit.local.group_cloud import GROUP, Cloud, fresh_cloud, node_account

ZONE = "a"


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with node_account() as made:
        yield made


@pytest.fixture
def cloud(server: AwsServer) -> Iterator[Cloud]:
    with fresh_cloud(server) as made:
        yield made


@pytest.fixture
def address(cloud: Cloud) -> str:
    """That of an interface which the template of the group's only instance names."""
    ec2 = cloud.server.client("ec2")
    made = ec2.create_network_interface(SubnetId=cloud.subnets[0])["NetworkInterface"]
    named: dict[str, Any] = {
        "NetworkInterfaces": [{"DeviceIndex": 0, "NetworkInterfaceId": made["NetworkInterfaceId"]}]
    }
    ec2.create_launch_template_version(
        LaunchTemplateName="node", SourceVersion="1", LaunchTemplateData={"ImageId": "ami-12345678", **named}
    )
    settings: dict[str, Any] = {"AvailabilityZones": [f"{cloud.server.region}{ZONE}"], "DesiredCapacity": 1}
    cloud.api.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        MinSize=1,
        MaxSize=2,
        LaunchTemplate={"LaunchTemplateName": "node", "Version": "$Latest"},
        **settings,
    )
    cloud.scaling.step()
    return str(made["PrivateIpAddress"])


def a_volume(cloud: Cloud, zone: str = ZONE) -> str:
    made = cloud.server.client("ec2").create_volume(AvailabilityZone=f"{cloud.server.region}{zone}", Size=8)
    return str(made["VolumeId"])


def attach(cloud: Cloud, volume_id: str, instance_id: str) -> None:
    cloud.server.client("ec2").attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device="/dev/sdf")


def end(cloud: Cloud, instance_id: str) -> None:
    cloud.server.client("ec2").terminate_instances(InstanceIds=[instance_id])


def test_an_interface_that_a_template_names_is_on_one_instance_at_a_time(cloud: Cloud, address: str) -> None:
    (first,) = cloud.ids()
    assert cloud.ec2_instance(first)["PrivateIpAddress"] == address
    cloud.desire(2)
    assert cloud.ids() == [first]
    assert "in use. Launching EC2 instance failed." in cloud.activities()[0]["StatusMessage"]
    end(cloud, first)
    cloud.pass_time(600)
    assert first not in cloud.ids()
    running = [each for each in cloud.ids() if cloud.ec2_instance(each)["State"]["Name"] == "running"]
    assert [cloud.ec2_instance(each)["PrivateIpAddress"] for each in running] == [address]


def test_a_volume_is_on_one_running_instance_of_its_zone_at_a_time(cloud: Cloud) -> None:
    cloud.make_group(VPCZoneIdentifier=cloud.subnets[0], DesiredCapacity=2)
    first, second = cloud.ids()
    volume = a_volume(cloud)
    attach(cloud, volume, first)
    assert cloud.machines.attached == [(first, volume, 8)]
    with pytest.raises(ClientError, match="VolumeInUse"):
        attach(cloud, volume, second)
    end(cloud, first)
    attach(cloud, volume, second)
    assert [holder for holder, _, _ in cloud.machines.attached] == [first, second]


def test_a_volume_of_another_zone_or_for_an_instance_that_has_ended_is_refused(cloud: Cloud) -> None:
    cloud.make_group(VPCZoneIdentifier=cloud.subnets[0], DesiredCapacity=1)
    (instance,) = cloud.ids()
    with pytest.raises(ClientError, match=r"InvalidVolume\.ZoneMismatch"):
        attach(cloud, a_volume(cloud, zone="b"), instance)
    end(cloud, instance)
    with pytest.raises(ClientError, match="IncorrectState"):
        attach(cloud, a_volume(cloud), instance)
    assert cloud.machines.attached == []
