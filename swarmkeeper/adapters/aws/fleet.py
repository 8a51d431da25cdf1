"""The fleet's groups and instances: Auto Scaling and EC2."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypedDict

from botocore.exceptions import ClientError

from swarmkeeper.adapters.aws.errors import aws_errors, code_of, message_of
from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Hook, NodeId, Resources
from swarmkeeper.errors import InvalidInput, InvariantBroken, UnsafeAction
from swarmkeeper.ports import Group, GroupInstance, InstanceFacts

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

MIB = 2**20
NOT_THERE = re.compile(r"no active lifecycle action|not found", re.IGNORECASE)
"""Auto Scaling has one code, ValidationError, for all that it refuses; only its text tells these."""
UNKNOWN_INSTANCE = frozenset({"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"})
ALIVE = frozenset({"pending", "running"})
REFRESHING = frozenset({"Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking"})
"""A group has at most one refresh at a time, and the newest comes first."""
GROUP_TAG = "aws:autoscaling:groupName"
FILTER_VALUES = 200
"""The most that one filter of EC2's may name."""


class AutoScalingFleet:
    """Fleet over boto3's clients."""

    def __init__(self, autoscaling: AutoScalingClient, ec2: EC2Client) -> None:
        self._autoscaling = autoscaling
        self._ec2 = ec2

    def group(self, group: str) -> Group:
        with aws_errors():
            found = self._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
        if not found:
            raise InvariantBroken(f"there is no Auto Scaling group {group}")
        return _group(found[0])

    def set_desired(self, group: str, desired: int) -> None:
        """Raises UnsafeAction when the group's limits forbid it."""
        # Our own cooldown is in the table; the group's would refuse what we have decided.
        with aws_errors(), _refusal_is_unsafe(group):
            self._autoscaling.set_desired_capacity(
                AutoScalingGroupName=group, DesiredCapacity=desired, HonorCooldown=False
            )

    def refreshing(self, group: str) -> bool:
        with aws_errors():
            newest = self._autoscaling.describe_instance_refreshes(AutoScalingGroupName=group, MaxRecords=1)
        return any(each.get("Status") in REFRESHING for each in newest["InstanceRefreshes"])

    def image_id(self, group: str) -> str:
        with aws_errors():
            found = self._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
            template = _template(found[0]) if found else None
            if template is None:
                return ""
            # An image may stand in the template as an SSM parameter; the alias is resolved as a launch would.
            answer = self._ec2.describe_launch_template_versions(
                LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]], ResolveAlias=True
            )
        versions = answer["LaunchTemplateVersions"]
        return versions[0]["LaunchTemplateData"].get("ImageId", "") if versions else ""

    def terminate(self, node_id: NodeId) -> None:
        self._end(node_id, decrement=True)

    def replace(self, node_id: NodeId) -> None:
        self._end(node_id, decrement=False)

    def _end(self, node_id: NodeId, *, decrement: bool) -> None:
        if not self._is_in_service_of_a_group(node_id):
            return
        with aws_errors(), _refusal_is_unsafe(node_id):
            try:
                self._autoscaling.terminate_instance_in_auto_scaling_group(
                    InstanceId=node_id, ShouldDecrementDesiredCapacity=decrement
                )
            except ClientError as error:
                # It may have left its group since we looked.
                if not NOT_THERE.search(message_of(error)):
                    raise

    def _is_in_service_of_a_group(self, node_id: NodeId) -> bool:
        """Whether a termination would change anything: a second one would lower desired a second time."""
        with aws_errors():
            found = self._autoscaling.describe_auto_scaling_instances(InstanceIds=[node_id])["AutoScalingInstances"]
        return bool(found) and not found[0]["LifecycleState"].startswith("Terminat")

    def complete(self, hook: Hook, node_id: NodeId, *, proceed: bool) -> bool:
        return _still_waited(
            lambda: self._autoscaling.complete_lifecycle_action(
                AutoScalingGroupName=hook.group,
                LifecycleHookName=hook.name,
                InstanceId=node_id,
                LifecycleActionResult="CONTINUE" if proceed else "ABANDON",
                **_token(hook),
            )
        )

    def heartbeat(self, hook: Hook, node_id: NodeId) -> bool:
        return _still_waited(
            lambda: self._autoscaling.record_lifecycle_action_heartbeat(
                AutoScalingGroupName=hook.group,
                LifecycleHookName=hook.name,
                InstanceId=node_id,
                **_token(hook),
            )
        )

    def instance(self, node_id: NodeId) -> InstanceFacts | None:
        with aws_errors():
            try:
                answer = self._ec2.describe_instances(InstanceIds=[node_id])
            except ClientError as error:
                if code_of(error) in UNKNOWN_INSTANCE:
                    return None
                raise
        found = [instance for reservation in answer["Reservations"] for instance in reservation["Instances"]]
        return _facts(found[0]) if found else None

    def instances(self, node_ids: Sequence[NodeId]) -> tuple[InstanceFacts, ...]:
        # A filter leaves out what EC2 doesn't know; a list of ids would be refused whole.
        chunks = (node_ids[start : start + FILTER_VALUES] for start in range(0, len(node_ids), FILTER_VALUES))
        return tuple(facts for chunk in chunks for facts in self._described(chunk))

    def _described(self, node_ids: Sequence[NodeId]) -> list[InstanceFacts]:
        pages = self._ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-id", "Values": list(node_ids)}]
        )
        with aws_errors():
            reservations = [reservation for page in pages for reservation in page["Reservations"]]
        return [_facts(instance) for reservation in reservations for instance in reservation["Instances"]]

    def type_capacity(self, instance_type: str) -> Resources:
        """Raises InvalidInput for a type that EC2 doesn't know."""
        with aws_errors():
            try:
                # EC2 checks the name itself, so that text from the settings may be sent.
                answer = self._ec2.describe_instance_types(InstanceTypes=[instance_type])  # type: ignore[list-item]
            except ClientError as error:
                if code_of(error) == "InvalidInstanceType":
                    raise InvalidInput("instance_types", f"{instance_type} is unknown to EC2") from error
                raise
        found = answer["InstanceTypes"][0]
        cpus, memory_mib = found["VCpuInfo"]["DefaultVCpus"], found["MemoryInfo"]["SizeInMiB"]
        return Resources(cpus * NANO_CPUS_PER_CPU, memory_mib * MIB)


class _Template(TypedDict):
    LaunchTemplateId: str
    Version: str


def _template(group: AutoScalingGroupTypeDef) -> _Template | None:
    """The launch template of the group, a mixed one's too."""
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {}).get("LaunchTemplateSpecification")
    named = group.get("LaunchTemplate") or mixed
    if not named or "LaunchTemplateId" not in named:
        return None
    return {"LaunchTemplateId": named["LaunchTemplateId"], "Version": named.get("Version", "$Default")}


class _Token(TypedDict, total=False):
    LifecycleActionToken: str


def _token(hook: Hook) -> _Token:
    """The action's token where its event told it; without it AWS goes by the instance."""
    return {"LifecycleActionToken": hook.token} if hook.token else {}


def _still_waited(touch: Callable[[], object]) -> bool:
    """Touch a lifecycle action; False when none waits, or its group or hook is gone."""
    with aws_errors():
        try:
            touch()
        except ClientError as error:
            if code_of(error) == "ValidationError" and NOT_THERE.search(message_of(error)):
                return False
            raise
    return True


@contextmanager
def _refusal_is_unsafe(what: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if code_of(error) == "ValidationError":
            raise UnsafeAction(f"{what}: {message_of(error)}") from error
        raise


def _group(found: AutoScalingGroupTypeDef) -> Group:
    return Group(
        name=found["AutoScalingGroupName"],
        min=found["MinSize"],
        max=found["MaxSize"],
        desired=found["DesiredCapacity"],
        instances=tuple(
            GroupInstance(NodeId(instance["InstanceId"]), instance["LifecycleState"])
            for instance in found.get("Instances", [])
        ),
        suspended=frozenset(process["ProcessName"] for process in found.get("SuspendedProcesses", [])),
    )


def _facts(found: InstanceTypeDef) -> InstanceFacts:
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
    return InstanceFacts(
        id=NodeId(found["InstanceId"]),
        address=found.get("PrivateIpAddress", ""),
        instance_type=found["InstanceType"],
        availability_zone=found["Placement"].get("AvailabilityZone", ""),
        running=found["State"]["Name"] in ALIVE,
        group=tags.get(GROUP_TAG, ""),
        lifecycle=found.get("InstanceLifecycle", "on-demand"),
        image_id=found.get("ImageId", ""),
        launched_at=found["LaunchTime"].timestamp() if "LaunchTime" in found else 0.0,
        terminated=found["State"]["Name"] == "terminated",
    )
