"""Instances that are run by hand have machines, and images are made of what these hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.aws.server import AwsServer
from tests.unit.local.group_cloud import GROUP, Cloud, fresh_cloud, node_account


@pytest.fixture(scope="module")
def account() -> Iterator[AwsServer]:
    with node_account() as running:
        yield running


@pytest.fixture
def cloud(account: AwsServer) -> Iterator[Cloud]:
    with fresh_cloud(account) as one:
        yield one


def run_builder(cloud: Cloud) -> str:
    made = cloud.server.client("ec2").run_instances(
        ImageId="ami-12345678", MinCount=1, MaxCount=1, InstanceType="m6g.large", SubnetId=cloud.subnets[0]
    )
    return str(made["Instances"][0]["InstanceId"])


def bake(cloud: Cloud, instance_id: str) -> Any:
    ec2 = cloud.server.client("ec2")
    made = ec2.create_image(InstanceId=instance_id, Name="node-1")["ImageId"]
    return ec2.describe_images(ImageIds=[made])["Images"][0]


def test_an_instance_that_no_group_has_made_has_a_machine_until_it_is_terminated(cloud: Cloud) -> None:
    builder = run_builder(cloud)
    assert cloud.machines.running() == (builder,)
    assert cloud.ec2_instance(builder)["State"]["Name"] == "running"
    cloud.server.client("ec2").terminate_instances(InstanceIds=[builder])
    assert cloud.machines.running() == ()


def test_an_image_is_made_of_what_the_machine_holds_and_others_start_from_it(cloud: Cloud) -> None:
    builder = run_builder(cloud)
    image = bake(cloud, builder)
    assert (image["State"], image["Name"]) == ("available", "node-1")
    assert cloud.machines.captured == {image["ImageId"]: builder}
    cloud.server.client("ec2").create_launch_template_version(
        LaunchTemplateName="node", SourceVersion="1", LaunchTemplateData={"ImageId": image["ImageId"]}
    )
    cloud.make_group(DesiredCapacity=1)
    assert [one.image_id for one in cloud.machines.started if one.id in cloud.ids(GROUP)] == [image["ImageId"]]


def test_no_image_comes_of_a_machine_that_has_gone(cloud: Cloud) -> None:
    builder = run_builder(cloud)
    cloud.machines.die(builder)
    assert bake(cloud, builder)["State"] == "failed"
