from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from swarmkeeper.adapters.aws.fleet import AutoScalingFleet
from swarmkeeper.domain.model import Hook, NodeId, Resources
from swarmkeeper.errors import InvalidInput, InvariantBroken, Unavailable, UnsafeAction
from swarmkeeper.ports import GroupInstance

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

GROUP = "demo-workers"
NODE = NodeId("i-0123456789abcdef0")
HOOK = Hook(GROUP, "join", "7e9d2cb3-3b0a-4b1c-9a4f-0d5a8f8d7a55", 1_700_000_600.0)


def make_group(session: boto3.session.Session, desired: int = 1) -> None:
    ec2, autoscaling = session.client("ec2"), session.client("autoscaling")
    ec2.create_launch_template(
        LaunchTemplateName="workers", LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "t3.small"}
    )
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        LaunchTemplate={"LaunchTemplateName": "workers"},
        MinSize=0,
        MaxSize=3,
        DesiredCapacity=desired,
        VPCZoneIdentifier=subnet,
    )


@pytest.fixture
def fleet(session: boto3.session.Session) -> AutoScalingFleet:
    make_group(session)
    return AutoScalingFleet(session.client("autoscaling"), session.client("ec2"))


def the_node(fleet: AutoScalingFleet) -> NodeId:
    (instance,) = fleet.group(GROUP).instances
    return instance.id


def test_a_group_is_read_as_it_stands(fleet: AutoScalingFleet, session: boto3.session.Session) -> None:
    session.client("autoscaling").suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["AZRebalance"])
    group = fleet.group(GROUP)
    assert (group.name, group.min, group.max, group.desired) == (GROUP, 0, 3, 1)
    assert group.instances == (GroupInstance(the_node(fleet), "InService"),)
    assert group.suspended == {"AZRebalance"}


def test_instances_are_described_together_and_unknown_ones_are_left_out(fleet: AutoScalingFleet) -> None:
    fleet.set_desired(GROUP, 3)
    known = [instance.id for instance in fleet.group(GROUP).instances]
    found = fleet.instances([*known, NodeId("i-0000000000000dead")])
    assert sorted(facts.id for facts in found) == sorted(known)
    assert set(found) == {fleet.instance(node_id) for node_id in known}
    assert all(facts.launched_at > 0 for facts in found)
    assert fleet.instances([]) == ()


def test_an_unknown_group_is_a_bug(fleet: AutoScalingFleet) -> None:
    with pytest.raises(InvariantBroken):
        fleet.group("demo-none")


def test_desired_is_set(fleet: AutoScalingFleet) -> None:
    fleet.set_desired(GROUP, 3)
    assert (fleet.group(GROUP).desired, len(fleet.group(GROUP).instances)) == (3, 3)


def test_the_image_is_what_the_groups_template_launches_now(
    fleet: AutoScalingFleet, session: boto3.session.Session
) -> None:
    assert fleet.image_id(GROUP) == "ami-12345678"
    ec2, autoscaling = session.client("ec2"), session.client("autoscaling")
    newer = ec2.create_launch_template_version(
        LaunchTemplateName="workers", LaunchTemplateData={"ImageId": "ami-87654321", "InstanceType": "t3.small"}
    )["LaunchTemplateVersion"]
    autoscaling.update_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        LaunchTemplate={"LaunchTemplateName": "workers", "Version": str(newer["VersionNumber"])},
    )
    assert fleet.image_id(GROUP) == "ami-87654321"


def test_an_unknown_group_launches_no_image(fleet: AutoScalingFleet) -> None:
    assert fleet.image_id("demo-none") == ""


@pytest.mark.parametrize(
    ("statuses", "refreshing"),
    [
        pytest.param([], False, id="never refreshed"),
        pytest.param(["Successful"], False, id="ended"),
        pytest.param(["InProgress"], True, id="under way"),
        pytest.param(["Pending"], True, id="about to begin"),
        pytest.param(["Cancelling"], True, id="not yet cancelled"),
        pytest.param(["RollbackInProgress"], True, id="being undone"),
        pytest.param(["Baking"], True, id="being watched"),
    ],
)
def test_an_instance_refresh_is_seen_while_it_runs(
    session: boto3.session.Session, statuses: list[str], refreshing: bool
) -> None:
    autoscaling = session.client("autoscaling")
    with Stubber(autoscaling) as stub:
        stub.add_response(
            "describe_instance_refreshes",
            {"InstanceRefreshes": [{"Status": status} for status in statuses]},
            {"AutoScalingGroupName": GROUP, "MaxRecords": 1},
        )
        assert AutoScalingFleet(autoscaling, session.client("ec2")).refreshing(GROUP) is refreshing


def test_a_node_is_ended_with_its_place_once(fleet: AutoScalingFleet) -> None:
    node = the_node(fleet)
    for _ in range(2):
        fleet.terminate(node)
    assert (fleet.group(GROUP).desired, fleet.group(GROUP).instances) == (0, ())


def test_a_node_that_is_replaced_leaves_its_place(fleet: AutoScalingFleet) -> None:
    node = the_node(fleet)
    fleet.replace(node)
    group = fleet.group(GROUP)
    assert group.desired == 1
    assert node not in [instance.id for instance in group.instances]


def test_an_instance_is_described_until_after_its_end(fleet: AutoScalingFleet, session: boto3.session.Session) -> None:
    node = the_node(fleet)
    facts = fleet.instance(node)
    assert facts is not None
    assert facts.address.count(".") == 3
    assert (facts.id, facts.instance_type, facts.running, facts.group) == (node, "t3.small", True, GROUP)
    assert (facts.lifecycle, facts.image_id) == ("on-demand", "ami-12345678")
    session.client("ec2").terminate_instances(InstanceIds=[node])
    ended = fleet.instance(node)
    assert ended is not None
    assert (facts.terminated, ended.running, ended.terminated) == (False, False, True)


def test_an_unknown_instance_is_none(fleet: AutoScalingFleet) -> None:
    assert fleet.instance(NODE) is None


def test_a_type_has_its_vcpus_and_memory(fleet: AutoScalingFleet) -> None:
    assert fleet.type_capacity("t3.small") == Resources(2 * 10**9, 2 * 2**30)


def test_an_unknown_type_is_refused(fleet: AutoScalingFleet) -> None:
    with pytest.raises(InvalidInput):
        fleet.type_capacity("t3.none")


@pytest.fixture
def stubbed() -> Iterator[tuple[AutoScalingFleet, Stubber]]:
    session = boto3.session.Session("key-of-the-tests", "secret", region_name="eu-central-1")
    client: AutoScalingClient = session.client("autoscaling")
    with Stubber(client) as answers:
        yield AutoScalingFleet(client, session.client("ec2")), answers
        answers.assert_no_pending_responses()


@pytest.mark.parametrize(("proceed", "result"), [(True, "CONTINUE"), (False, "ABANDON")])
def test_an_action_that_waits_is_completed(
    stubbed: tuple[AutoScalingFleet, Stubber], proceed: bool, result: str
) -> None:
    fleet, answers = stubbed
    answers.add_response(
        "complete_lifecycle_action",
        {},
        {
            "AutoScalingGroupName": GROUP,
            "LifecycleHookName": "join",
            "LifecycleActionToken": HOOK.token,
            "InstanceId": NODE,
            "LifecycleActionResult": result,
        },
    )
    assert fleet.complete(HOOK, NODE, proceed=proceed)


@pytest.mark.parametrize("call", ["complete_lifecycle_action", "record_lifecycle_action_heartbeat"])
@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        pytest.param("ValidationError", f"No active Lifecycle Action found with instance ID {NODE}", False, id="over"),
        pytest.param("ValidationError", "AutoScalingGroup name not found - demo-workers", False, id="no group"),
        pytest.param("ValidationError", "1 validation error detected", InvariantBroken, id="bad request"),
        pytest.param("ResourceContention", "try again", Unavailable, id="contention"),
    ],
)
def test_an_action_that_waits_no_more_is_told_from_an_error(
    stubbed: tuple[AutoScalingFleet, Stubber], call: str, code: str, message: str, expected: type[Exception] | bool
) -> None:
    fleet, answers = stubbed
    answers.add_client_error(call, code, message)

    def touch() -> bool:
        return fleet.complete(HOOK, NODE, proceed=True) if call.startswith("complete") else fleet.heartbeat(HOOK, NODE)

    if isinstance(expected, bool):
        assert touch() is expected
    else:
        with pytest.raises(expected):
            touch()


def test_a_group_that_refuses_is_an_unsafe_action(stubbed: tuple[AutoScalingFleet, Stubber]) -> None:
    fleet, answers = stubbed
    answers.add_client_error("set_desired_capacity", "ValidationError", "New SetDesiredCapacity value 9 is above max")
    with pytest.raises(UnsafeAction, match="above max"):
        fleet.set_desired(GROUP, 9)


def _listed(lifecycle: str) -> dict[str, list[dict[str, object]]]:
    return {
        "AutoScalingInstances": [
            {
                "InstanceId": NODE,
                "AutoScalingGroupName": GROUP,
                "AvailabilityZone": "eu-central-1a",
                "LifecycleState": lifecycle,
                "HealthStatus": "HEALTHY",
                "ProtectedFromScaleIn": True,
            }
        ]
    }


def test_a_termination_below_min_is_an_unsafe_action(stubbed: tuple[AutoScalingFleet, Stubber]) -> None:
    fleet, answers = stubbed
    answers.add_response("describe_auto_scaling_instances", _listed("InService"))
    answers.add_client_error("terminate_instance_in_auto_scaling_group", "ValidationError", "below min size")
    with pytest.raises(UnsafeAction):
        fleet.terminate(NODE)


@pytest.mark.parametrize("lifecycle", ["Terminating", "Terminating:Wait", "Terminating:Proceed", "Terminated"])
def test_an_instance_that_is_ending_is_not_ended_again(
    stubbed: tuple[AutoScalingFleet, Stubber], lifecycle: str
) -> None:
    fleet, answers = stubbed
    answers.add_response("describe_auto_scaling_instances", _listed(lifecycle))
    fleet.terminate(NODE)


def test_an_instance_that_ends_between_look_and_call_is_no_error(stubbed: tuple[AutoScalingFleet, Stubber]) -> None:
    fleet, answers = stubbed
    answers.add_response("describe_auto_scaling_instances", _listed("InService"))
    answers.add_client_error(
        "terminate_instance_in_auto_scaling_group", "ValidationError", "Instance Id not found - No managed instance"
    )
    fleet.terminate(NODE)
