"""Targets of the load balancer."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from swarmkeeper.adapters.aws.routes import TargetGroup
from swarmkeeper.domain.model import NodeId
from swarmkeeper.errors import Unavailable

NODE = NodeId("i-0123456789abcdef0")
ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/demo-routers/50dc6c495c0c9188"


def test_an_instance_is_withdrawn_and_restored_and_both_may_be_repeated(session: boto3.session.Session) -> None:
    ec2, client = session.client("ec2"), session.client("elbv2")
    made = client.create_target_group(
        Name="routers", Protocol="HTTP", Port=8080, VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    )
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    node = NodeId(ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"])
    routes = TargetGroup(client, arn)

    def targets() -> list[str]:
        return [
            each["Target"]["Id"]
            for each in client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        ]

    for _ in range(2):
        routes.restore(node)
        assert targets() == [node]
    for _ in range(2):
        routes.withdraw(node)
        assert targets() == []


def test_a_balancer_that_does_not_answer_is_unavailable() -> None:
    client = boto3.session.Session("key-of-the-tests", "secret", region_name="eu-central-1").client("elbv2")
    with Stubber(client) as answers:
        answers.add_client_error("deregister_targets", "Throttling")
        with pytest.raises(Unavailable):
            TargetGroup(client, ARN).withdraw(NODE)
