"""Auto Scaling groups behave as on AWS: through boto3, against the emulated APIs."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.ec2.models.instances import InstanceBackend

from local.aws.autoscaling import AutoScaling, Timing
from local.aws.capacity import Shortage
from local.aws.server import AwsServer
from local.machines import Instance
from tests.unit.local.cloud_fakes import FakeMachines, InlineExecutor, ManualClock, RecordingBus, eventually
from tests.unit.local.group_cloud import (
    GROUP,
    JOIN,
    LAUNCH,
    LEAVE,
    TERMINATE,
    Cloud,
    empty,
    fresh_cloud,
    node_account,
    prepare_account,
)


@pytest.fixture(scope="module")
def account() -> Iterator[AwsServer]:
    with node_account() as running:
        yield running


@pytest.fixture
def server(account: AwsServer) -> AwsServer:
    """The account without instances, networks or groups of an earlier test."""
    empty(account)
    return account


@pytest.fixture
def cloud(account: AwsServer) -> Iterator[Cloud]:
    with fresh_cloud(account) as one:
        yield one


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    """The code and message of the refusal that a call meets."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# Launching


def test_a_launched_instance_waits_on_its_hook_and_then_comes_into_service(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN])
    assert cloud.states() == ["Pending:Wait"]
    cloud.complete(cloud.ids()[0])
    assert cloud.states() == ["InService"]


def test_a_group_without_hooks_puts_instances_into_service_at_once(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=2)
    assert cloud.states() == ["InService", "InService"]


def test_desired_capacity_starts_at_the_minimum(cloud: Cloud) -> None:
    cloud.make_group(MinSize=2)
    assert cloud.group()["DesiredCapacity"] == 2 == len(cloud.ids())


def test_the_launch_event_has_the_shape_that_aws_sends(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN | {"NotificationMetadata": "pool=web"}])
    (event,) = cloud.bus.of("EC2 Instance-launch Lifecycle Action")
    token = event.detail["LifecycleActionToken"]
    assert event.source == "aws.autoscaling"
    assert event.resources == (cloud.group()["AutoScalingGroupARN"],)
    assert event.detail == {
        "LifecycleActionToken": token,
        "AutoScalingGroupName": GROUP,
        "LifecycleHookName": "join",
        "EC2InstanceId": cloud.ids()[0],
        "LifecycleTransition": LAUNCH,
        "NotificationMetadata": "pool=web",
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
    }


def test_a_launch_that_came_into_service_is_told_once(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1)
    cloud.pass_time(30)
    (detail,) = cloud.bus.details("EC2 Instance Launch Successful")
    assert detail["EC2InstanceId"] == cloud.ids()[0]
    assert detail["AutoScalingGroupName"] == GROUP
    assert detail["Details"]["Subnet ID"] == cloud.subnets[0]


def test_the_machine_gets_what_the_launch_template_says(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1)
    (machine,) = cloud.machines.started
    shown = cloud.ec2_instance(machine.id)
    assert machine.user_data == "#!/bin/sh\necho hello\n"
    assert (machine.role_name, machine.instance_type, machine.hop_limit) == ("node-role", "m6g.large", 1)
    assert machine.private_ip == shown["PrivateIpAddress"]
    assert machine.private_ip.startswith("10.90.0.")
    assert shown["State"]["Name"] == "running"
    assert shown["IamInstanceProfile"]["Arn"].endswith("/node-profile")
    assert {"Key": "aws:autoscaling:groupName", "Value": GROUP} in shown["Tags"]
    assert {"Key": "kind", "Value": "node"} in shown["Tags"]


def test_new_instances_use_the_template_version_that_the_group_names(cloud: Cloud) -> None:
    ec2 = cloud.server.client("ec2")
    ec2.create_launch_template_version(
        LaunchTemplateName="node",
        LaunchTemplateData={"ImageId": "ami-2", "InstanceType": "m7g.xlarge", "UserData": "IyEvYmluL3NoCg=="},
    )
    cloud.make_group(DesiredCapacity=1)
    assert [(m.instance_type, m.user_data) for m in cloud.machines.started] == [("m7g.xlarge", "#!/bin/sh\n")]


def test_instances_are_spread_over_the_groups_subnets(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=5)
    zones = sorted(instance["AvailabilityZone"][-1] for instance in cloud.group()["Instances"])
    assert zones == ["a", "a", "a", "b", "b"]


def test_a_machine_that_does_not_start_is_a_failed_launch_and_is_tried_again_with_a_growing_delay(
    cloud: Cloud,
) -> None:
    cloud.machines.refuse = "We currently do not have sufficient m6g.large capacity"
    cloud.make_group(DesiredCapacity=1)
    assert cloud.ids() == []
    (failed,) = cloud.activities()
    assert failed["StatusCode"] == "Failed"
    assert "sufficient m6g.large capacity" in failed["StatusMessage"]
    assert len(cloud.bus.details("EC2 Instance Launch Unsuccessful")) == 1
    cloud.pass_time(14)
    assert len(cloud.activities()) == 1
    cloud.pass_time(1)
    assert len(cloud.activities()) == 2
    cloud.pass_time(29)
    assert len(cloud.activities()) == 2
    cloud.machines.refuse = None
    cloud.pass_time(1)
    assert cloud.states() == ["InService"]


def test_an_instance_whose_machine_failed_is_shown_as_terminated(cloud: Cloud) -> None:
    cloud.machines.refuse = "no room"
    cloud.make_group(DesiredCapacity=1)
    (reservation,) = cloud.server.client("ec2").describe_instances()["Reservations"]
    assert reservation["Instances"][0]["State"]["Name"] == "terminated"


NO_MORE = "We currently do not have sufficient m6g.large capacity in the Availability Zone you requested"


def test_capacity_runs_out_on_command_and_the_group_says_so_as_aws_does(cloud: Cloud) -> None:
    capacity = cloud.scaling.instances.capacity
    capacity.run_out(Shortage("m6g.large"), left=1)
    cloud.make_group(DesiredCapacity=3)
    assert cloud.states() == ["InService"]
    told, *_ = cloud.bus.details("EC2 Instance Launch Unsuccessful")
    assert told["StatusMessage"].startswith(f"{NO_MORE} ({cloud.server.region}")
    assert told["StatusMessage"].endswith("Launching EC2 instance failed.")
    assert (told["StatusCode"], told["EC2InstanceId"], told["AutoScalingGroupName"]) == ("Failed", "", GROUP)
    failed = next(each for each in cloud.activities() if each["StatusCode"] == "Failed")
    assert failed["StatusMessage"] == told["StatusMessage"]
    capacity.restore(Shortage("m6g.large"))
    cloud.pass_time(15)
    assert cloud.states() == ["InService"] * 3


@pytest.mark.parametrize(
    ("shortage", "launched"),
    [
        (Shortage(group=GROUP), 0),
        (Shortage("m6g.large", GROUP), 0),
        (Shortage(group="demo-other"), 1),
        (Shortage("m5.large"), 1),
        (Shortage("m6g.large", "demo-other"), 1),
    ],
)
def test_capacity_runs_out_of_a_type_of_a_group_or_of_both(cloud: Cloud, shortage: Shortage, launched: int) -> None:
    cloud.scaling.instances.capacity.run_out(shortage)
    cloud.make_group(DesiredCapacity=1)
    assert len(cloud.ids()) == launched


def make_mixed(cloud: Cloud, *types: str, on_demand: int = 100) -> None:
    """A group of several types, with one instance wanted."""
    template = {"LaunchTemplateName": "node", "Version": "$Latest"}
    overrides = [{"InstanceType": each} for each in types]
    cloud.api.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        MinSize=0,
        MaxSize=6,
        DesiredCapacity=1,
        VPCZoneIdentifier=",".join(cloud.subnets),
        MixedInstancesPolicy={
            "LaunchTemplate": {"LaunchTemplateSpecification": template, "Overrides": overrides},
            "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": on_demand},
        },
    )
    cloud.scaling.step()


def test_a_group_of_several_types_takes_the_first_that_there_is(cloud: Cloud) -> None:
    cloud.scaling.instances.capacity.run_out(Shortage("m6g.large"))
    make_mixed(cloud, "m6g.large", "m5.large")
    (instance_id,) = cloud.ids()
    assert cloud.ec2_instance(instance_id)["InstanceType"] == "m5.large"
    assert cloud.bus.details("EC2 Instance Launch Unsuccessful") == []


@pytest.mark.parametrize(("on_demand", "kind"), [(100, "On-Demand"), (0, "Spot")])
def test_a_group_of_several_types_without_any_says_so(cloud: Cloud, on_demand: int, kind: str) -> None:
    cloud.scaling.instances.capacity.run_out(Shortage(group=GROUP))
    make_mixed(cloud, "m6g.large", "m5.large", on_demand=on_demand)
    (told,) = cloud.bus.details("EC2 Instance Launch Unsuccessful")
    assert told["StatusMessage"].startswith(f"Could not launch {kind} Instances. InsufficientInstanceCapacity - We")


@pytest.mark.parametrize(("on_demand", "lifecycle"), [(100, None), (0, "spot")])
def test_a_spot_groups_instances_say_so(cloud: Cloud, on_demand: int, lifecycle: str | None) -> None:
    make_mixed(cloud, "m5.large", on_demand=on_demand)
    assert cloud.ec2_instance(cloud.ids()[0]).get("InstanceLifecycle") == lifecycle


def test_a_subnet_without_free_addresses_refuses_the_launch(cloud: Cloud) -> None:
    ec2 = cloud.server.client("ec2")
    vpc = ec2.describe_subnets(SubnetIds=cloud.subnets)["Subnets"][0]["VpcId"]
    tiny = ec2.create_subnet(VpcId=vpc, CidrBlock="10.90.9.0/28", AvailabilityZone=f"{cloud.server.region}a")
    cloud.make_group(VPCZoneIdentifier=tiny["Subnet"]["SubnetId"], MaxSize=20, DesiredCapacity=12)
    assert len(cloud.ids()) == 11  # AWS keeps five of the sixteen
    assert "not enough free addresses" in cloud.activities()[0]["StatusMessage"]
    cloud.server.client("autoscaling").terminate_instance_in_auto_scaling_group(
        InstanceId=cloud.ids()[0], ShouldDecrementDesiredCapacity=False
    )
    cloud.pass_time(15)
    assert len(cloud.ids()) == 11


# Lifecycle actions


def test_an_abandoned_launch_is_terminated_and_replaced(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN])
    first = cloud.ids()[0]
    cloud.complete(first, result="ABANDON")
    assert cloud.states() == ["Pending:Wait"]
    assert cloud.ids() != [first]
    assert cloud.machines.stopped == [first]
    assert cloud.ec2_instance(first)["State"]["Name"] == "terminated"
    cancelled = next(a for a in cloud.activities() if a["StatusCode"] == "Cancelled")
    assert cancelled["StatusMessage"].endswith("was abandoned: Lifecycle Action Completed with ABANDON Result")
    assert len(cloud.bus.details("EC2 Instance Launch Unsuccessful")) == 1


def test_an_instance_that_ended_while_its_hook_ran_is_no_target_and_is_replaced(cloud: Cloud) -> None:
    balancers = cloud.server.client("elbv2")
    vpc = cloud.server.client("ec2").describe_subnets(SubnetIds=cloud.subnets[:1])["Subnets"][0]["VpcId"]
    made = balancers.create_target_group(Name="routers", Protocol="HTTP", Port=8080, VpcId=vpc)
    target_group = made["TargetGroups"][0]["TargetGroupArn"]
    cloud.make_group(DesiredCapacity=2, LifecycleHookSpecificationList=[JOIN], TargetGroupARNs=[target_group])
    ended, other = cloud.ids()
    cloud.server.client("ec2").terminate_instances(InstanceIds=[ended])
    for instance_id in (ended, other):
        cloud.complete(instance_id)
    told = balancers.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
    assert [each["Target"]["Id"] for each in told] == [other]
    cloud.pass_time(10)
    assert ended not in cloud.ids()
    assert sorted(cloud.states()) == ["InService", "Pending:Wait"]


def test_a_launch_whose_heartbeat_runs_out_is_abandoned_by_default(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN])
    first = cloud.ids()[0]
    cloud.pass_time(299)
    assert cloud.ids() == [first]
    cloud.pass_time(1)
    assert first not in cloud.ids()
    assert "Heartbeat Timeout" in cloud.bus.details("EC2 Instance Launch Unsuccessful")[0]["StatusMessage"]


def test_a_launch_whose_heartbeat_runs_out_comes_into_service_when_the_default_is_continue(cloud: Cloud) -> None:
    hook = JOIN | {"DefaultResult": "CONTINUE"}
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[hook])
    cloud.pass_time(300)
    assert cloud.states() == ["InService"]


def test_a_heartbeat_extends_the_wait_by_a_full_time_out(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN])
    instance_id = cloud.ids()[0]
    cloud.pass_time(290)
    cloud.api.record_lifecycle_action_heartbeat(
        AutoScalingGroupName=GROUP, LifecycleHookName="join", InstanceId=instance_id
    )
    cloud.pass_time(299)
    assert cloud.ids() == [instance_id]
    cloud.pass_time(1)
    assert cloud.ids() != [instance_id]


def test_heartbeats_keep_a_wait_alive_for_a_hundred_time_outs_at_the_most(cloud: Cloud) -> None:
    cloud.make_group(MinSize=0, DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN | {"HeartbeatTimeout": 30}])
    instance_id = cloud.ids()[0]
    beats = 0
    while cloud.ids() == [instance_id] and beats < 150:
        cloud.api.record_lifecycle_action_heartbeat(
            AutoScalingGroupName=GROUP, LifecycleHookName="join", InstanceId=instance_id
        )
        beats += 1
        cloud.pass_time(25)
    assert beats == 120  # 100 x 30 s, one every 25 s


def test_the_global_time_out_of_a_hook_is_shown(cloud: Cloud) -> None:
    long = LEAVE | {"HeartbeatTimeout": 7200}
    cloud.make_group(LifecycleHookSpecificationList=[JOIN, long])
    hooks = cloud.api.describe_lifecycle_hooks(AutoScalingGroupName=GROUP)["LifecycleHooks"]
    assert [(h["LifecycleHookName"], h["GlobalTimeout"]) for h in hooks] == [("join", 30_000), ("leave", 172_800)]


def test_an_action_is_completed_by_its_token_too(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN])
    token = cloud.bus.details("EC2 Instance-launch Lifecycle Action")[0]["LifecycleActionToken"]
    cloud.api.complete_lifecycle_action(
        AutoScalingGroupName=GROUP,
        LifecycleHookName="join",
        LifecycleActionToken=token,
        LifecycleActionResult="CONTINUE",
    )
    cloud.scaling.step()
    assert cloud.states() == ["InService"]


def test_an_action_that_is_not_active_is_refused_as_aws_does(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN])
    instance_id = cloud.ids()[0]
    cloud.complete(instance_id)
    expected = ("ValidationError", f"No active Lifecycle Action found with instance ID {instance_id}")
    assert refusal(lambda: cloud.complete(instance_id)) == expected
    assert refusal(lambda: cloud.complete("i-0123"))[1].endswith("i-0123")
    token = "4f0bfb40-7c2b-4b4e-9a5f-0c4b8f0f3f0a"
    with_token = refusal(lambda: cloud.complete(instance_id, LifecycleActionToken=token))
    assert with_token == ("ValidationError", f"No active Lifecycle Action found with token {token}")
    beat = refusal(
        lambda: cloud.api.record_lifecycle_action_heartbeat(
            AutoScalingGroupName=GROUP, LifecycleHookName="join", InstanceId=instance_id
        )
    )
    assert beat == expected


def test_an_action_that_has_just_run_out_can_not_be_completed(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN])
    cloud.clock.advance(301)
    assert refusal(lambda: cloud.complete(cloud.ids()[0]))[0] == "ValidationError"


def test_an_instance_waits_for_all_hooks_of_a_transition(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN, JOIN | {"LifecycleHookName": "warm"}])
    instance_id = cloud.ids()[0]
    cloud.complete(instance_id, "join")
    assert cloud.states() == ["Pending:Wait"]
    cloud.complete(instance_id, "warm")
    assert cloud.states() == ["InService"]


def test_deleting_a_hook_ends_its_waits(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN])
    first = cloud.ids()[0]
    cloud.api.delete_lifecycle_hook(AutoScalingGroupName=GROUP, LifecycleHookName="join")
    cloud.scaling.step()
    assert cloud.states() == ["InService"]  # the replacement of the one that was abandoned
    assert cloud.ids() != [first]


@pytest.mark.parametrize(
    "hook",
    [
        pytest.param({"HeartbeatTimeout": 29, "LifecycleTransition": LAUNCH}, id="heartbeat below 30 s"),
        pytest.param({"HeartbeatTimeout": 7201, "LifecycleTransition": LAUNCH}, id="heartbeat above 2 h"),
        pytest.param({"LifecycleTransition": "autoscaling:EC2_INSTANCE_SLEEPING"}, id="unknown transition"),
        pytest.param({"LifecycleTransition": LAUNCH, "DefaultResult": "MAYBE"}, id="unknown result"),
        pytest.param({}, id="no transition"),
    ],
)
def test_a_hook_that_aws_would_refuse_is_refused(cloud: Cloud, hook: dict[str, Any]) -> None:
    cloud.make_group()
    call = lambda: cloud.api.put_lifecycle_hook(AutoScalingGroupName=GROUP, LifecycleHookName="x", **hook)  # noqa: E731
    assert refusal(call)[0] == "ValidationError"


# Terminating


def in_service(cloud: Cloud, count: int = 2, **settings: Any) -> list[str]:
    cloud.make_group(DesiredCapacity=count, LifecycleHookSpecificationList=[LEAVE], **settings)
    return cloud.ids()


def end(cloud: Cloud, instance_id: str, decrement: bool) -> Any:
    answer = cloud.api.terminate_instance_in_auto_scaling_group(
        InstanceId=instance_id, ShouldDecrementDesiredCapacity=decrement
    )
    cloud.scaling.step()
    return answer["Activity"]


def test_termination_with_decrement_waits_on_its_hook_and_is_not_replaced(cloud: Cloud) -> None:
    first, second = in_service(cloud)
    activity = end(cloud, first, decrement=True)
    assert activity["Description"] == f"Terminating EC2 instance: {first}"
    assert cloud.group()["DesiredCapacity"] == 1
    assert cloud.states() == ["Terminating:Wait", "InService"]
    assert cloud.ec2_instance(first)["State"]["Name"] == "running"
    (detail,) = cloud.bus.details("EC2 Instance-terminate Lifecycle Action")
    assert (detail["Origin"], detail["Destination"]) == ("AutoScalingGroup", "EC2")
    assert (detail["LifecycleTransition"], detail["EC2InstanceId"]) == (TERMINATE, first)
    cloud.complete(first, "leave")
    assert cloud.ids() == [second]
    assert cloud.ec2_instance(first)["State"]["Name"] == "terminated"
    assert cloud.machines.stopped == [first]
    assert [d["EC2InstanceId"] for d in cloud.bus.details("EC2 Instance Terminate Successful")] == [first]


def test_termination_without_decrement_is_replaced_at_once(cloud: Cloud) -> None:
    first, _ = in_service(cloud)
    end(cloud, first, decrement=False)
    assert sorted(cloud.states()) == ["InService", "InService", "Terminating:Wait"]
    assert cloud.group()["DesiredCapacity"] == 2


@pytest.mark.parametrize("result", ["CONTINUE", "ABANDON"])
def test_a_termination_ends_the_instance_either_way(cloud: Cloud, result: str) -> None:
    first, second = in_service(cloud)
    end(cloud, first, decrement=True)
    cloud.complete(first, "leave", result)
    assert cloud.ids() == [second]


@pytest.mark.parametrize(("result", "states"), [("CONTINUE", ["Terminating:Wait"]), ("ABANDON", [])])
def test_abandon_ends_the_wait_on_every_terminate_hook_and_continue_only_its_own(
    cloud: Cloud, result: str, states: list[str]
) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[LEAVE, LEAVE | {"LifecycleHookName": "copy"}])
    first = cloud.ids()[0]
    end(cloud, first, decrement=True)
    cloud.complete(first, "leave", result)
    assert cloud.states() == states


def test_a_termination_goes_on_when_its_heartbeat_runs_out(cloud: Cloud) -> None:
    first, second = in_service(cloud)
    end(cloud, first, decrement=True)
    cloud.pass_time(60)
    assert cloud.ids() == [second]


def test_a_decrement_below_the_minimum_is_refused(cloud: Cloud) -> None:
    first, _ = in_service(cloud, MinSize=2)
    code, message = refusal(lambda: end(cloud, first, decrement=True))
    assert (code, "Currently, desiredSize equals minSize (2)" in message) == ("ValidationError", True)
    assert cloud.states() == ["InService", "InService"]


def test_an_instance_that_is_ending_is_not_ended_or_counted_twice(cloud: Cloud) -> None:
    first, _ = in_service(cloud)
    end(cloud, first, decrement=True)
    assert refusal(lambda: end(cloud, first, decrement=True))[0] == "ScalingActivityInProgress"
    assert cloud.group()["DesiredCapacity"] == 1


def test_terminating_an_instance_that_no_group_has_is_refused(cloud: Cloud) -> None:
    in_service(cloud)
    code, message = refusal(lambda: end(cloud, "i-00000000", decrement=True))
    assert (code, message.endswith("No managed instance found for instance ID: i-00000000")) == (
        "ValidationError",
        True,
    )


def test_an_instance_that_still_waits_to_join_can_be_terminated_and_its_join_is_then_inactive(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN, LEAVE])
    first = cloud.ids()[0]
    end(cloud, first, decrement=True)
    assert cloud.states() == ["Terminating:Wait"]
    assert refusal(lambda: cloud.complete(first, "join"))[0] == "ValidationError"
    cloud.complete(first, "leave")
    assert cloud.ids() == []


def test_the_terminate_hook_runs_for_an_abandoned_launch_too(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN, LEAVE])
    first = cloud.ids()[0]
    cloud.complete(first, result="ABANDON")
    assert sorted(cloud.states()) == ["Pending:Wait", "Terminating:Wait"]


# Sizes


def test_desired_capacity_outside_the_bounds_is_refused(cloud: Cloud) -> None:
    cloud.make_group(MinSize=1, MaxSize=3)
    assert refusal(lambda: cloud.desire(4)) == (
        "ValidationError",
        "New SetDesiredCapacity value 4 is above max value 3 for the AutoScalingGroup.",
    )
    assert refusal(lambda: cloud.desire(0)) == (
        "ValidationError",
        "New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup.",
    )
    assert cloud.group()["DesiredCapacity"] == 1


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({"MinSize": 3, "MaxSize": 2}, id="min above max"),
        pytest.param({"MinSize": 1, "MaxSize": 2, "DesiredCapacity": 3}, id="desired above max"),
        pytest.param({"MinSize": 1, "MaxSize": 2, "DesiredCapacity": 0}, id="desired below min"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused(cloud: Cloud, sizes: dict[str, Any]) -> None:
    assert refusal(lambda: cloud.make_group(**sizes))[0] == "ValidationError"
    cloud.make_group("other", MinSize=1, MaxSize=2)
    call = lambda: cloud.api.update_auto_scaling_group(AutoScalingGroupName="other", **sizes)  # noqa: E731
    assert refusal(call)[0] == "ValidationError"


def test_new_bounds_move_desired_capacity(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=3)
    cloud.api.update_auto_scaling_group(AutoScalingGroupName=GROUP, MaxSize=2)
    cloud.scaling.step()
    assert (cloud.group()["DesiredCapacity"], len(cloud.ids())) == (2, 2)
    cloud.api.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=4, MaxSize=5)
    cloud.scaling.step()
    assert (cloud.group()["DesiredCapacity"], len(cloud.ids())) == (4, 4)


def test_a_cooldown_is_honoured_only_when_the_caller_says_so(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, DefaultCooldown=100)
    assert refusal(lambda: cloud.desire(2, HonorCooldown=True))[0] == "ScalingActivityInProgress"
    cloud.desire(2)
    cloud.pass_time(100)
    cloud.desire(3, HonorCooldown=True)
    assert len(cloud.ids()) == 3


def test_scale_in_never_chooses_a_protected_instance_and_leaves_desired_unmet(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=3, NewInstancesProtectedFromScaleIn=True)
    assert all(instance["ProtectedFromScaleIn"] for instance in cloud.group()["Instances"])
    cloud.desire(1)
    assert (cloud.group()["DesiredCapacity"], cloud.states()) == (1, ["InService"] * 3)
    free = cloud.ids()[1]
    cloud.api.set_instance_protection(AutoScalingGroupName=GROUP, InstanceIds=[free], ProtectedFromScaleIn=False)
    cloud.scaling.step()
    assert len(cloud.ids()) == 2
    assert free not in cloud.ids()


def test_protection_does_not_keep_an_instance_from_being_terminated_by_name(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, NewInstancesProtectedFromScaleIn=True)
    end(cloud, cloud.ids()[0], decrement=True)
    assert cloud.ids() == []


def test_only_instances_in_service_can_be_protected(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN])
    instance_id = cloud.ids()[0]

    def protect(name: str) -> object:
        return cloud.api.set_instance_protection(
            AutoScalingGroupName=GROUP, InstanceIds=[name], ProtectedFromScaleIn=True
        )

    assert "is not in InService" in refusal(lambda: protect(instance_id))[1]
    assert "is not part of Auto Scaling group" in refusal(lambda: protect("i-00000000"))[1]


def test_scale_in_takes_the_oldest_from_the_fullest_zone(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1)
    cloud.pass_time(60)
    cloud.desire(3)
    oldest = cloud.ids()[0]
    cloud.desire(2)
    assert oldest not in cloud.ids()


# Health


def test_an_instance_terminated_through_ec2_runs_its_hook_and_is_replaced_without_decrement(cloud: Cloud) -> None:
    first, second = in_service(cloud)
    cloud.server.client("ec2").terminate_instances(InstanceIds=[first])
    assert cloud.machines.stopped == [first]
    assert cloud.ec2_instance(first)["State"]["Name"] == "terminated"
    cloud.pass_time(10)
    states = {instance["InstanceId"]: instance for instance in cloud.group()["Instances"]}
    assert states[first]["LifecycleState"] == "Terminating:Wait"
    assert states[first]["HealthStatus"] == "Unhealthy"
    assert len(states) == 3
    assert cloud.group()["DesiredCapacity"] == 2
    assert "health check" in cloud.activities()[1]["Cause"]
    cloud.complete(first, "leave")
    assert first not in cloud.ids()
    assert second in cloud.ids()


def test_a_machine_that_died_is_shown_as_stopped_and_replaced(cloud: Cloud) -> None:
    first, _ = in_service(cloud)
    cloud.machines.die(first)
    cloud.pass_time(9)
    assert cloud.ec2_instance(first)["State"]["Name"] == "running"  # not noticed before the next check
    cloud.pass_time(1)
    assert cloud.ec2_instance(first)["State"]["Name"] == "stopped"
    assert sorted(cloud.states()) == ["InService", "InService", "Terminating:Wait"]


def test_an_instance_that_waits_on_its_launch_hook_is_not_health_checked(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN])
    first = cloud.ids()[0]
    cloud.machines.die(first)
    cloud.pass_time(20)
    assert cloud.states() == ["Pending:Wait"]
    cloud.complete(first)
    cloud.pass_time(10)
    assert first not in cloud.ids()


def test_an_instance_set_unhealthy_is_replaced_after_its_grace_period(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, HealthCheckGracePeriod=100)
    first = cloud.ids()[0]
    cloud.api.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    cloud.scaling.step()
    assert cloud.ids() == [first]
    cloud.pass_time(100)
    cloud.api.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    cloud.scaling.step()
    assert first not in cloud.ids()


# Suspended processes


def suspend(cloud: Cloud, *processes: str) -> None:
    cloud.api.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=list(processes))


def resume(cloud: Cloud, *processes: str) -> None:
    cloud.api.resume_processes(AutoScalingGroupName=GROUP, ScalingProcesses=list(processes))
    cloud.scaling.step()


def test_while_launch_is_suspended_nothing_is_launched(cloud: Cloud) -> None:
    cloud.make_group()
    suspend(cloud, "Launch")
    cloud.desire(2)
    assert cloud.ids() == []
    resume(cloud, "Launch")
    assert len(cloud.ids()) == 2


def test_while_terminate_is_suspended_nothing_is_scaled_in(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=2)
    suspend(cloud, "Terminate")
    cloud.desire(1)
    assert len(cloud.ids()) == 2
    resume(cloud, "Terminate")
    assert len(cloud.ids()) == 1


@pytest.mark.parametrize("process", ["ReplaceUnhealthy", "HealthCheck"])
def test_an_ill_instance_stays_while_its_replacement_is_suspended(cloud: Cloud, process: str) -> None:
    cloud.make_group(DesiredCapacity=1)
    first = cloud.ids()[0]
    suspend(cloud, process)
    cloud.machines.die(first)
    cloud.pass_time(30)
    assert cloud.states() == ["InService"]
    resume(cloud, process)
    cloud.pass_time(10)
    assert first not in cloud.ids()


def unbalance(cloud: Cloud) -> list[str]:
    """Leave a group with two instances in one zone and none in the other."""
    cloud.make_group(DesiredCapacity=4)
    suspend(cloud, "AZRebalance")
    other = [i["InstanceId"] for i in cloud.group()["Instances"] if i["AvailabilityZone"].endswith("b")]
    for instance_id in other:
        end(cloud, instance_id, decrement=True)
    return cloud.ids()


def test_an_unbalanced_group_launches_in_the_empty_zone_and_then_ends_one_in_the_full_one(cloud: Cloud) -> None:
    before = unbalance(cloud)
    cloud.pass_time(60)
    assert cloud.ids() == before  # while AZRebalance is suspended
    resume(cloud, "AZRebalance")
    assert len(cloud.ids()) == 2
    zones = sorted(instance["AvailabilityZone"][-1] for instance in cloud.group()["Instances"])
    assert zones == ["a", "b"]


def test_rebalancing_ends_nothing_before_the_new_instance_is_in_service(cloud: Cloud) -> None:
    before = unbalance(cloud)
    cloud.api.put_lifecycle_hook(AutoScalingGroupName=GROUP, **JOIN)
    resume(cloud, "AZRebalance")
    assert cloud.states() == ["InService", "InService", "Pending:Wait"]
    (new,) = set(cloud.ids()) - set(before)
    cloud.complete(new)
    assert cloud.states() == ["InService", "InService"]
    assert new in cloud.ids()


def test_an_unknown_process_is_refused(cloud: Cloud) -> None:
    cloud.make_group()
    assert refusal(lambda: suspend(cloud, "Lunch"))[0] == "ValidationError"


def policy_arn(cloud: Cloud, adjustment: int) -> str:
    cloud.api.put_scaling_policy(
        AutoScalingGroupName=GROUP,
        PolicyName="out",
        PolicyType="SimpleScaling",
        AdjustmentType="ChangeInCapacity",
        ScalingAdjustment=adjustment,
    )
    return str(cloud.api.describe_policies(PolicyNames=["out"])["ScalingPolicies"][0]["PolicyARN"])


def test_an_alarms_scaling_policy_stays_within_the_bounds_and_respects_suspension(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, MaxSize=3)
    arn = policy_arn(cloud, 5)
    suspend(cloud, "AlarmNotification")
    assert "suspended" in str(cloud.scaling.run_policy(arn))
    resume(cloud, "AlarmNotification")
    assert cloud.scaling.run_policy(arn) is None
    assert cloud.group()["DesiredCapacity"] == 3


def test_a_scheduled_action_runs_once_at_its_time_unless_suspended(cloud: Cloud) -> None:
    from datetime import UTC, datetime

    cloud.make_group(DesiredCapacity=1)
    at = datetime.fromtimestamp(cloud.clock() + 60, UTC)
    cloud.api.put_scheduled_update_group_action(
        AutoScalingGroupName=GROUP, ScheduledActionName="night", StartTime=at, DesiredCapacity=3
    )
    cloud.pass_time(59)
    assert len(cloud.ids()) == 1
    cloud.pass_time(1)
    assert len(cloud.ids()) == 3
    suspend(cloud, "ScheduledActions")
    cloud.api.put_scheduled_update_group_action(
        AutoScalingGroupName=GROUP, ScheduledActionName="day", StartTime=at, DesiredCapacity=1
    )
    cloud.pass_time(1)
    assert len(cloud.ids()) == 3


def test_what_is_not_emulated_is_refused_by_name(cloud: Cloud) -> None:
    cloud.make_group()
    cron = lambda: cloud.api.put_scheduled_update_group_action(  # noqa: E731
        AutoScalingGroupName=GROUP, ScheduledActionName="x", Recurrence="0 0 * * *"
    )
    assert "not emulated" in refusal(cron)[1]
    assert "not emulated" in refusal(lambda: cloud.api.put_warm_pool(AutoScalingGroupName=GROUP))[1]


# The group as such


def test_an_unknown_group_is_a_validation_error_in_every_action(cloud: Cloud) -> None:
    calls: list[Callable[[], object]] = [
        lambda: cloud.api.set_desired_capacity(AutoScalingGroupName="nope", DesiredCapacity=1),
        lambda: cloud.api.update_auto_scaling_group(AutoScalingGroupName="nope", MaxSize=1),
        lambda: cloud.api.delete_auto_scaling_group(AutoScalingGroupName="nope"),
        lambda: cloud.api.describe_scaling_activities(AutoScalingGroupName="nope"),
        lambda: cloud.api.suspend_processes(AutoScalingGroupName="nope"),
        lambda: cloud.api.resume_processes(AutoScalingGroupName="nope"),
        lambda: cloud.api.describe_lifecycle_hooks(AutoScalingGroupName="nope"),
        lambda: cloud.api.attach_instances(AutoScalingGroupName="nope"),
        lambda: cloud.api.enter_standby(AutoScalingGroupName="nope", ShouldDecrementDesiredCapacity=True),
        lambda: cloud.api.set_instance_protection(
            AutoScalingGroupName="nope", InstanceIds=["i-1"], ProtectedFromScaleIn=True
        ),
    ]
    assert {refusal(call)[0] for call in calls} == {"ValidationError"}
    assert cloud.api.describe_auto_scaling_groups(AutoScalingGroupNames=["nope"])["AutoScalingGroups"] == []


def test_a_group_with_instances_is_deleted_only_by_force_which_skips_hooks(cloud: Cloud) -> None:
    ids = in_service(cloud)
    assert refusal(lambda: cloud.api.delete_auto_scaling_group(AutoScalingGroupName=GROUP))[0] == "ResourceInUse"
    cloud.api.delete_auto_scaling_group(AutoScalingGroupName=GROUP, ForceDelete=True)
    cloud.scaling.step()
    assert sorted(cloud.machines.stopped) == sorted(ids)
    assert cloud.machines.running() == ()
    assert cloud.api.describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_two_groups_of_one_name_are_refused(cloud: Cloud) -> None:
    cloud.make_group()
    assert refusal(cloud.make_group)[0] == "AlreadyExists"


def test_activities_tell_status_and_cause_newest_first(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1)
    cloud.pass_time(1)
    cloud.desire(2)
    newest, oldest = cloud.activities()
    assert (newest["StatusCode"], newest["Progress"]) == ("Successful", 100)
    assert newest["Description"] == f"Launching a new EC2 instance: {cloud.ids()[1]}"
    assert "changing the desired capacity from 1 to 2" in newest["Cause"]
    assert "increasing the capacity from 1 to 2" in newest["Cause"]
    assert "created an AutoScalingGroup" in oldest["Cause"]
    page = cloud.api.describe_scaling_activities(AutoScalingGroupName=GROUP, MaxRecords=1)
    rest = cloud.api.describe_scaling_activities(AutoScalingGroupName=GROUP, NextToken=page["NextToken"])
    assert [a["ActivityId"] for a in page["Activities"] + rest["Activities"]] == [
        newest["ActivityId"],
        oldest["ActivityId"],
    ]


def test_an_activity_in_a_wait_shows_that_it_waits(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN])
    assert cloud.activities()[0]["StatusCode"] == "MidLifecycleAction"


def test_instances_are_described_with_their_lifecycle_state(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1, LifecycleHookSpecificationList=[JOIN])
    (shown,) = cloud.api.describe_auto_scaling_instances()["AutoScalingInstances"]
    assert (shown["AutoScalingGroupName"], shown["LifecycleState"], shown["HealthStatus"]) == (
        GROUP,
        "Pending:Wait",
        "Healthy",
    )
    assert shown["ProtectedFromScaleIn"] is False


def test_ec2_tells_each_change_of_an_instances_state(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=1)
    end(cloud, cloud.ids()[0], decrement=True)
    states = [d["state"] for d in cloud.bus.details("EC2 Instance State-change Notification")]
    assert states == ["pending", "running", "shutting-down", "terminated"]


def test_standby_and_detached_instances_are_left_alone(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=2)
    first, second = cloud.ids()
    cloud.api.enter_standby(AutoScalingGroupName=GROUP, InstanceIds=[first], ShouldDecrementDesiredCapacity=True)
    cloud.api.detach_instances(AutoScalingGroupName=GROUP, InstanceIds=[second], ShouldDecrementDesiredCapacity=True)
    cloud.scaling.step()
    assert cloud.states() == ["Standby"]
    assert sorted(cloud.machines.running()) == sorted([first, second])


def test_the_group_runs_by_itself_in_its_thread(server: AwsServer) -> None:
    machines, bus = FakeMachines(), RecordingBus()
    timing = Timing(health_check_s=0.05)
    scaling = AutoScaling(server.backend("autoscaling"), server.backend("ec2"), machines, bus, timing=timing)
    cloud = Cloud(server, scaling, machines, bus, ManualClock(), prepare_account(server))
    scaling.install()
    scaling.start()
    try:
        api = cloud.api
        api.create_auto_scaling_group(
            AutoScalingGroupName=GROUP,
            MinSize=0,
            MaxSize=3,
            DesiredCapacity=2,
            LaunchTemplate={"LaunchTemplateName": "node"},
            VPCZoneIdentifier=",".join(cloud.subnets),
            LifecycleHookSpecificationList=[JOIN],
        )
        eventually(lambda: cloud.states() == ["Pending:Wait"] * 2)
        for instance_id in cloud.ids():
            api.complete_lifecycle_action(
                AutoScalingGroupName=GROUP,
                LifecycleHookName="join",
                InstanceId=instance_id,
                LifecycleActionResult="CONTINUE",
            )
        eventually(lambda: cloud.states() == ["InService"] * 2)
        first = cloud.ids()[0]
        machines.die(first)
        eventually(lambda: first not in cloud.ids() and len(cloud.ids()) == 2)
    finally:
        scaling.uninstall()


def test_a_machine_whose_instance_was_terminated_while_it_started_is_stopped(cloud: Cloud) -> None:
    started, go_on = threading.Event(), threading.Event()
    begin = cloud.machines.start

    def slow_start(instance: Instance) -> None:
        started.set()
        go_on.wait(10)
        begin(instance)

    cloud.machines.start = slow_start  # type: ignore[method-assign]  # this one start is slow
    with ThreadPoolExecutor() as pool:
        cloud.scaling.instances._pool = pool
        cloud.make_group(DesiredCapacity=1)
        assert started.wait(10)
        instance_id = cloud.ids()[0]
        assert cloud.ec2_instance(instance_id)["State"]["Name"] == "pending"
        end(cloud, instance_id, decrement=True)
        go_on.set()
    cloud.scaling.step()
    assert cloud.machines.running() == ()
    assert cloud.ec2_instance(instance_id)["State"]["Name"] == "terminated"
    assert cloud.ids() == []


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_the_group_returns_to_its_desired_capacity_and_leaves_no_machine_behind(
    cloud: Cloud, seed: int
) -> None:
    dice = random.Random(seed)
    cloud.make_group(DesiredCapacity=3, LifecycleHookSpecificationList=[JOIN, LEAVE])

    def complete(result: str) -> None:
        hook = {"P": "join", "T": "leave"}
        waiting = [i for i in cloud.group()["Instances"] if i["LifecycleState"].endswith(":Wait")]
        for one in dice.sample(waiting, min(2, len(waiting))):
            cloud.complete(one["InstanceId"], hook[one["LifecycleState"][0]], result)

    def end_one(decrement: bool) -> None:
        ids = cloud.ids()
        if ids:
            with contextlib.suppress(ClientError):  # below the minimum, or ending already
                end(cloud, dice.choice(ids), decrement)

    def kill_one() -> None:
        if cloud.machines.running():
            cloud.machines.die(dice.choice(cloud.machines.running()))

    deeds: list[Callable[[], None]] = [
        lambda: cloud.desire(dice.randint(0, 6)),
        lambda: complete("CONTINUE"),
        lambda: complete("CONTINUE"),
        lambda: complete("ABANDON"),
        lambda: end_one(decrement=True),
        lambda: end_one(decrement=False),
        kill_one,
        lambda: cloud.pass_time(dice.choice([1, 20, 70, 400])),
    ]
    for _ in range(40):
        dice.choice(deeds)()
        assert 0 <= cloud.group()["DesiredCapacity"] <= 6
    for _ in range(12):
        complete("CONTINUE")
        cloud.pass_time(65)
        complete("CONTINUE")
    assert cloud.states() == ["InService"] * cloud.group()["DesiredCapacity"]
    assert sorted(cloud.machines.running()) == sorted(cloud.ids())


def test_uninstalling_leaves_moto_as_it_was(cloud: Cloud) -> None:
    classes = (AutoScalingBackend, AutoScalingResponse, FakeAutoScalingGroup, InstanceBackend)
    installed = [dict(vars(owner)) for owner in classes]
    cloud.scaling.uninstall()
    original = [dict(vars(owner)) for owner in classes]
    again = AutoScaling(
        cloud.server.backend("autoscaling"),
        cloud.server.backend("ec2"),
        cloud.machines,
        cloud.bus,
        executor=InlineExecutor(),
    )
    again.install()
    again.uninstall()
    assert [dict(vars(owner)) for owner in classes] == original
    assert installed != original
    assert not hasattr(AutoScalingResponse, "complete_lifecycle_action")


def test_sizes_are_what_describing_the_groups_tells(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=2, LifecycleHookSpecificationList=[JOIN])
    cloud.complete(cloud.ids()[0])
    shown, (size,) = cloud.group(), cloud.scaling.sizes()
    assert (size.name, size.desired) == (GROUP, shown["DesiredCapacity"])
    assert (size.least, size.most) == (shown["MinSize"], shown["MaxSize"])
    assert size.instances == {one["InstanceId"]: one["LifecycleState"] for one in shown["Instances"]}
    assert set(size.instances.values()) == {"InService", "Pending:Wait"}
