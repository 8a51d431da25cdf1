"""Suspends processes of an Auto Scaling group; the code of a custom resource, because CloudFormation has no property.

Properties: AutoScalingGroupName, ScalingProcesses. It is deleted before its group: then it takes the protection off
the group's instances, without which CloudFormation could not delete the group.
"""

import json
import urllib.request
from typing import Any

import boto3

AT_ONCE = 50  # instances that SetInstanceProtection takes


def suspend(group: str, processes: list[str]) -> None:
    boto3.client("autoscaling").suspend_processes(AutoScalingGroupName=group, ScalingProcesses=processes)


def unprotect(group: str) -> None:
    client = boto3.client("autoscaling")
    groups = client.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    found = [one for each in groups for one in each["Instances"] if one.get("ProtectedFromScaleIn")]
    # Those on their way in or out can't be changed, and don't hold up the deletion.
    ids = [one["InstanceId"] for one in found if one["LifecycleState"] == "InService"]
    for start in range(0, len(ids), AT_ONCE):
        client.set_instance_protection(
            AutoScalingGroupName=group, InstanceIds=ids[start : start + AT_ONCE], ProtectedFromScaleIn=False
        )


def handler(event: dict[str, Any], context: object) -> None:
    status, reason = "SUCCESS", ""
    properties = event["ResourceProperties"]
    try:
        if event["RequestType"] == "Delete":
            unprotect(properties["AutoScalingGroupName"])
        else:
            suspend(properties["AutoScalingGroupName"], properties["ScalingProcesses"])
    except Exception as error:  # noqa: BLE001  # without an answer CloudFormation would wait for an hour
        status, reason = "FAILED", f"{type(error).__name__}: {error}"
    answer = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": properties["AutoScalingGroupName"] + "-suspended",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    body = json.dumps(answer).encode()
    # The address is signed for an empty content type; urllib would send one of its own.
    request = urllib.request.Request(  # noqa: S310  # CloudFormation's own address
        event["ResponseURL"], body, headers={"Content-Type": ""}, method="PUT"
    )
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310  # the same address
