"""Auto Scaling groups."""

from __future__ import annotations

from collections.abc import Mapping

from local.aws.creators.context import Creator, Stack
from local.aws.intrinsics import Physical
from local.aws.properties import Properties


def auto_scaling_group(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::AutoScaling::AutoScalingGroup; launches its instances at once, as on AWS."""
    client = stack.client("autoscaling")
    name = stack.physical_name(logical_id, properties.take("AutoScalingGroupName"), 255)
    subnets = properties.take("VPCZoneIdentifier", [])
    given: dict[str, object] = {"AutoScalingGroupName": name}
    if subnets:
        given["VPCZoneIdentifier"] = ",".join(subnets) if isinstance(subnets, list) else str(subnets)
    collected = properties.take("MetricsCollection", [])
    client.create_auto_scaling_group(**properties.for_api(client, "create_auto_scaling_group", **given))
    for one in collected:
        client.enable_metrics_collection(AutoScalingGroupName=name, **one)
    arn = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    return Physical(name, {"AutoScalingGroupARN": arn["AutoScalingGroupARN"]})


COMPUTE: Mapping[str, Creator] = {"AWS::AutoScaling::AutoScalingGroup": auto_scaling_group}
