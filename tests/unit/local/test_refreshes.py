"""Instance refreshes behave as AWS documents them: through boto3, against the emulated APIs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.server import AwsServer
from swarmkeeper.adapters.aws.fleet import AutoScalingFleet
from tests.unit.local.group_cloud import GROUP, JOIN, LEAVE, Cloud, fresh_cloud, node_account

IMAGE = "ami-0000000000000002"
LAUNCH_FIRST = {
    "MinHealthyPercentage": 100,
    "MaxHealthyPercentage": 110,
    "ScaleInProtectedInstances": "Refresh",
}
ALARM = "demo-web-failed"


@pytest.fixture(scope="module")
def account() -> Iterator[AwsServer]:
    with node_account() as running:
        yield running


@pytest.fixture
def cloud(account: AwsServer) -> Iterator[Cloud]:
    with fresh_cloud(account) as one:
        yield one


def make_group(cloud: Cloud, desired: int, *, hooks: tuple[Any, ...] = (), **settings: Any) -> None:
    """A group of protected instances of the template's first version."""
    cloud.make_group(
        DesiredCapacity=desired,
        LaunchTemplate={"LaunchTemplateName": "node", "Version": "1"},
        NewInstancesProtectedFromScaleIn=True,
        LifecycleHookSpecificationList=list(hooks),
        **settings,
    )
    if JOIN in hooks:
        join_all(cloud)


def join_all(cloud: Cloud) -> None:
    for instance_id in in_state(cloud, "Pending:Wait"):
        cloud.complete(instance_id)


def in_state(cloud: Cloud, state: str) -> list[str]:
    return [one["InstanceId"] for one in cloud.group()["Instances"] if one["LifecycleState"] == state]


def new_version(cloud: Cloud) -> str:
    """A version of the template that differs by its image; its number."""
    made = cloud.server.client("ec2").create_launch_template_version(
        LaunchTemplateName="node", SourceVersion="1", LaunchTemplateData={"ImageId": IMAGE}
    )
    return str(made["LaunchTemplateVersion"]["VersionNumber"])


def start(cloud: Cloud, version: str | None, **preferences: Any) -> str:
    wanted: dict[str, Any] = {}
    if version is not None:
        wanted = {"DesiredConfiguration": {"LaunchTemplate": {"LaunchTemplateName": "node", "Version": version}}}
    begun = cloud.api.start_instance_refresh(
        AutoScalingGroupName=GROUP, Preferences={**LAUNCH_FIRST, **preferences}, **wanted
    )
    cloud.scaling.step()
    return str(begun["InstanceRefreshId"])


def refreshes(cloud: Cloud) -> list[Any]:
    return list(cloud.api.describe_instance_refreshes(AutoScalingGroupName=GROUP)["InstanceRefreshes"])


def told(cloud: Cloud) -> list[str]:
    prefix = "EC2 Auto Scaling Instance Refresh "
    return [each.detail_type.removeprefix(prefix) for each in cloud.bus.events if each.detail_type.startswith(prefix)]


def images(cloud: Cloud) -> list[str]:
    return [cloud.ec2_instance(each)["ImageId"] for each in cloud.ids()]


def raise_alarm(cloud: Cloud, state: str) -> None:
    api = cloud.server.client("cloudwatch")
    api.put_metric_alarm(
        AlarmName=ALARM,
        MetricName="PoolFailed",
        Namespace="demo",
        Period=60,
        EvaluationPeriods=1,
        Statistic="Maximum",
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    api.set_alarm_state(AlarmName=ALARM, StateValue=state, StateReason="a test says so")


def test_a_refresh_is_in_progress_until_it_is_cancelled(cloud: Cloud) -> None:
    cloud.make_group(DesiredCapacity=2)
    assert refreshes(cloud) == []
    cloud.api.put_lifecycle_hook(AutoScalingGroupName=GROUP, **LEAVE)
    begun = cloud.api.start_instance_refresh(AutoScalingGroupName=GROUP)["InstanceRefreshId"]
    assert [each["Status"] for each in refreshes(cloud)] == ["Pending"]
    cloud.scaling.step()
    (running,) = refreshes(cloud)
    assert (running["InstanceRefreshId"], running["Status"], running["InstancesToUpdate"]) == (begun, "InProgress", 2)
    with pytest.raises(ClientError, match="InstanceRefreshInProgress"):
        cloud.api.start_instance_refresh(AutoScalingGroupName=GROUP)
    cloud.api.cancel_instance_refresh(AutoScalingGroupName=GROUP)
    assert [each["Status"] for each in refreshes(cloud)] == ["Cancelling"]
    cloud.complete(in_state(cloud, "Terminating:Wait")[0], "leave")
    assert [each["Status"] for each in refreshes(cloud)] == ["Cancelled"]
    with pytest.raises(ClientError, match="ActiveInstanceRefreshNotFound"):
        cloud.api.cancel_instance_refresh(AutoScalingGroupName=GROUP)


def test_the_product_sees_a_refresh_and_the_image_that_new_instances_get(cloud: Cloud) -> None:
    cloud.make_group()
    fleet = AutoScalingFleet(cloud.api, cloud.server.client("ec2"))
    assert not fleet.refreshing(GROUP)
    cloud.api.start_instance_refresh(AutoScalingGroupName=GROUP)
    assert fleet.refreshing(GROUP)
    cloud.api.cancel_instance_refresh(AutoScalingGroupName=GROUP)
    assert not fleet.refreshing(GROUP)
    assert fleet.image_id(GROUP) == "ami-12345678"


def test_refreshes_are_told_the_newest_first(cloud: Cloud) -> None:
    cloud.make_group()
    for _ in range(2):
        cloud.api.start_instance_refresh(AutoScalingGroupName=GROUP)
        cloud.api.cancel_instance_refresh(AutoScalingGroupName=GROUP)
        cloud.clock.advance(60)
    newest, oldest = refreshes(cloud)
    assert newest["StartTime"] > oldest["StartTime"]
    only = cloud.api.describe_instance_refreshes(AutoScalingGroupName=GROUP, MaxRecords=1)
    assert [each["InstanceRefreshId"] for each in only["InstanceRefreshes"]] == [newest["InstanceRefreshId"]]


def test_a_replacement_serves_before_its_predecessor_is_told_to_end(cloud: Cloud) -> None:
    make_group(cloud, 2, hooks=(JOIN, LEAVE))
    old = cloud.ids()
    start(cloud, new_version(cloud))
    assert cloud.states() == ["InService", "InService", "Pending:Wait"]
    join_all(cloud)
    assert sorted(cloud.states()) == ["InService", "InService", "Terminating:Wait"]
    assert len(in_state(cloud, "InService")) == cloud.group()["DesiredCapacity"] == 2
    leaving = in_state(cloud, "Terminating:Wait")[0]
    assert leaving in old

    # The next one waits until this one has left.
    assert in_state(cloud, "Pending:Wait") == []
    cloud.complete(leaving, "leave")
    join_all(cloud)
    cloud.complete(in_state(cloud, "Terminating:Wait")[0], "leave")
    (done,) = refreshes(cloud)
    assert (done["Status"], done["PercentageComplete"], done["InstancesToUpdate"]) == ("Successful", 100, 0)
    assert not set(old) & set(cloud.ids())
    assert images(cloud) == [IMAGE] * 2
    assert told(cloud) == ["Started", "Succeeded"]


def test_the_group_takes_the_desired_configuration_when_the_refresh_has_succeeded(cloud: Cloud) -> None:
    make_group(cloud, 1, hooks=(JOIN,))
    version = new_version(cloud)
    start(cloud, version)
    assert cloud.group()["LaunchTemplate"]["Version"] == "1"
    join_all(cloud)
    assert cloud.group()["LaunchTemplate"]["Version"] == version


def test_a_template_version_has_from_its_source_what_it_does_not_say(cloud: Cloud) -> None:
    version = new_version(cloud)
    told = cloud.server.client("ec2").describe_launch_template_versions(LaunchTemplateName="node")
    source, made = sorted(told["LaunchTemplateVersions"], key=lambda each: int(each["VersionNumber"]))
    assert (str(made["VersionNumber"]), made["LaunchTemplateData"]["ImageId"]) == (version, IMAGE)
    assert {**made["LaunchTemplateData"], "ImageId": "ami-12345678"} == source["LaunchTemplateData"]


def test_an_instance_tells_the_version_that_it_was_launched_from(cloud: Cloud) -> None:
    make_group(cloud, 2)
    start(cloud, new_version(cloud), CheckpointPercentages=[50, 100], CheckpointDelay=3600)
    assert sorted(one["LaunchTemplate"]["Version"] for one in cloud.group()["Instances"]) == ["1", "2"]


def test_what_a_group_launches_during_a_refresh_has_the_desired_configuration(cloud: Cloud) -> None:
    make_group(cloud, 1, hooks=(JOIN,))
    start(cloud, new_version(cloud))
    cloud.desire(3)
    assert sorted(images(cloud)) == [IMAGE, IMAGE, IMAGE, "ami-12345678"]


def test_without_room_above_an_instance_ends_before_its_successor_starts(cloud: Cloud) -> None:
    make_group(cloud, 4, hooks=(JOIN, LEAVE))
    start(cloud, new_version(cloud), MinHealthyPercentage=50, MaxHealthyPercentage=100)
    assert sorted(cloud.states())[-2:] == ["Terminating:Wait"] * 2
    assert len(in_state(cloud, "InService")) == 2


@pytest.mark.parametrize(
    ("desired", "at_once"), [pytest.param(4, 1, id="one at least"), pytest.param(6, 3, id="half of six")]
)
def test_the_healthy_percentages_say_how_many_are_replaced_side_by_side(
    cloud: Cloud, desired: int, at_once: int
) -> None:
    make_group(cloud, desired, hooks=(JOIN,), MaxSize=12)
    start(cloud, new_version(cloud), MaxHealthyPercentage=110 if at_once == 1 else 150)
    assert len(in_state(cloud, "Pending:Wait")) == at_once


def test_a_refresh_waits_at_a_checkpoint_for_the_delay_and_says_so(cloud: Cloud) -> None:
    make_group(cloud, 4)
    start(cloud, new_version(cloud), CheckpointPercentages=[25, 100], CheckpointDelay=600)
    (waiting,) = refreshes(cloud)
    assert (waiting["Status"], waiting["PercentageComplete"], waiting["InstancesToUpdate"]) == ("InProgress", 25, 3)
    assert images(cloud).count(IMAGE) == 1
    (event,) = cloud.bus.details("EC2 Auto Scaling Instance Refresh Checkpoint Reached")
    assert (event["CheckpointPercentage"], event["CheckpointDelay"]) == ("25", "600")
    cloud.pass_time(599)
    assert images(cloud).count(IMAGE) == 1
    cloud.pass_time(1)
    assert images(cloud).count(IMAGE) == 4
    assert refreshes(cloud)[0]["Status"] == "Successful"


def test_a_refresh_ends_at_its_last_checkpoint_though_that_is_not_all(cloud: Cloud) -> None:
    make_group(cloud, 4)
    start(cloud, new_version(cloud), CheckpointPercentages=[50], CheckpointDelay=0)
    cloud.pass_time(1)
    assert refreshes(cloud)[0]["Status"] == "Successful"
    assert images(cloud).count(IMAGE) == 2


def test_a_new_instance_warms_up_before_the_next_is_replaced(cloud: Cloud) -> None:
    make_group(cloud, 2)
    start(cloud, new_version(cloud), InstanceWarmup=120)
    assert images(cloud).count(IMAGE) == 1
    cloud.pass_time(119)
    assert images(cloud).count(IMAGE) == 1
    cloud.pass_time(1)
    assert images(cloud).count(IMAGE) == 2
    cloud.pass_time(120)
    assert refreshes(cloud)[0]["Status"] == "Successful"


def test_instances_that_match_are_skipped_when_told_so(cloud: Cloud) -> None:
    make_group(cloud, 2)
    version = new_version(cloud)
    start(cloud, version, CheckpointPercentages=[50], CheckpointDelay=0)
    cloud.pass_time(1)
    kept = set(cloud.ids())
    start(cloud, version, SkipMatching=True)
    assert refreshes(cloud)[0]["Status"] == "Successful"
    start(cloud, version, SkipMatching=True)
    newest = refreshes(cloud)[0]
    assert (newest["Status"], newest["InstancesToUpdate"]) == ("Successful", 0)
    assert len(kept & set(cloud.ids())) == 1


def test_protected_instances_are_waited_for_an_hour_and_then_the_refresh_fails(cloud: Cloud) -> None:
    make_group(cloud, 1)
    (kept,) = cloud.ids()
    start(cloud, new_version(cloud), ScaleInProtectedInstances="Wait")
    cloud.pass_time(3599)
    assert refreshes(cloud)[0]["Status"] == "InProgress"
    cloud.pass_time(1)
    assert refreshes(cloud)[0]["Status"] == "Failed"
    assert kept in cloud.ids()


def test_protected_instances_are_left_alone_when_they_are_to_be_ignored(cloud: Cloud) -> None:
    make_group(cloud, 1)
    before = cloud.ids()
    start(cloud, new_version(cloud), ScaleInProtectedInstances="Ignore")
    assert refreshes(cloud)[0]["Status"] == "Successful"
    assert cloud.ids() == before


def test_a_new_image_that_never_serves_is_given_up_after_an_hour_and_costs_no_instance(cloud: Cloud) -> None:
    make_group(cloud, 2, hooks=(JOIN, LEAVE))
    before = cloud.ids()
    start(cloud, new_version(cloud), AutoRollback=True)
    for _ in range(12):  # each launch is abandoned by its hook after 300 s
        cloud.pass_time(300)
    (ended,) = refreshes(cloud)
    assert ended["Status"] == "RollbackInProgress"
    for instance_id in in_state(cloud, "Terminating:Wait"):
        cloud.complete(instance_id, "leave")
    (ended,) = refreshes(cloud)
    assert ended["Status"] == "RollbackSuccessful"
    assert sorted(cloud.ids()) == sorted(before)
    assert cloud.group()["LaunchTemplate"]["Version"] == "1"


def test_an_alarm_rolls_a_refresh_back_and_replaces_what_was_replaced(cloud: Cloud) -> None:
    make_group(cloud, 4)
    raise_alarm(cloud, "OK")
    alarms = {"Alarms": [ALARM]}
    start(
        cloud,
        new_version(cloud),
        AutoRollback=True,
        AlarmSpecification=alarms,
        CheckpointPercentages=[50, 100],
        CheckpointDelay=3600,
    )
    assert images(cloud).count(IMAGE) == 2
    raise_alarm(cloud, "ALARM")
    cloud.pass_time(1)
    (back,) = refreshes(cloud)
    assert (back["Status"], back["PercentageComplete"]) == ("RollbackSuccessful", 0)
    assert ALARM in back["StatusReason"]
    assert back["RollbackDetails"]["PercentageCompleteOnRollback"] == 50
    assert images(cloud) == ["ami-12345678"] * 4
    assert told(cloud) == ["Started", "Checkpoint Reached", "Rollback Started", "Rollback Succeeded"]


def test_an_alarm_fails_a_refresh_that_is_not_to_roll_back(cloud: Cloud) -> None:
    make_group(cloud, 2)
    raise_alarm(cloud, "ALARM")
    start(cloud, new_version(cloud), AlarmSpecification={"Alarms": [ALARM]})
    assert refreshes(cloud)[0]["Status"] == "Failed"
    assert IMAGE not in images(cloud)


def test_a_rollback_may_take_longer_than_an_hour_while_it_goes_on(cloud: Cloud) -> None:
    make_group(cloud, 4)
    start(cloud, new_version(cloud), CheckpointPercentages=[50, 100], CheckpointDelay=3600)
    cloud.api.put_lifecycle_hook(AutoScalingGroupName=GROUP, **{**LEAVE, "HeartbeatTimeout": 3000})
    cloud.api.rollback_instance_refresh(AutoScalingGroupName=GROUP)
    cloud.scaling.step()
    cloud.pass_time(3000)
    assert (refreshes(cloud)[0]["Status"], images(cloud).count(IMAGE)) == ("RollbackInProgress", 1)
    cloud.pass_time(3000)
    assert (refreshes(cloud)[0]["Status"], images(cloud).count(IMAGE)) == ("RollbackSuccessful", 0)


def test_a_refresh_is_rolled_back_by_hand(cloud: Cloud) -> None:
    make_group(cloud, 2)
    start(cloud, new_version(cloud), CheckpointPercentages=[50, 100], CheckpointDelay=3600)
    cloud.api.rollback_instance_refresh(AutoScalingGroupName=GROUP)
    cloud.scaling.step()
    assert refreshes(cloud)[0]["Status"] == "RollbackSuccessful"
    assert IMAGE not in images(cloud)
    with pytest.raises(ClientError, match="ActiveInstanceRefreshNotFound"):
        cloud.api.rollback_instance_refresh(AutoScalingGroupName=GROUP)


def test_a_refresh_without_a_desired_configuration_can_not_be_rolled_back(cloud: Cloud) -> None:
    make_group(cloud, 1, hooks=(JOIN,))
    start(cloud, None)
    with pytest.raises(ClientError, match="IrreversibleInstanceRefresh"):
        cloud.api.rollback_instance_refresh(AutoScalingGroupName=GROUP)


def test_a_suspended_process_holds_a_refresh(cloud: Cloud) -> None:
    make_group(cloud, 1)
    cloud.api.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["InstanceRefresh"])
    start(cloud, new_version(cloud))
    assert IMAGE not in images(cloud)
    cloud.api.resume_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["InstanceRefresh"])
    cloud.scaling.step()
    assert images(cloud) == [IMAGE]


@pytest.mark.parametrize(
    ("preferences", "message"),
    [
        pytest.param({"MaxHealthyPercentage": 201}, "from 100 to 200", id="too healthy"),
        pytest.param({"MinHealthyPercentage": 10, "MaxHealthyPercentage": 150}, "100 apart", id="too far apart"),
        pytest.param({"CheckpointPercentages": [50, 20]}, "ascending", id="checkpoints in disorder"),
        pytest.param({"CheckpointDelay": 60}, "needs CheckpointPercentages", id="a delay without a checkpoint"),
        pytest.param({"ScaleInProtectedInstances": "Keep"}, "must be one of", id="no such behaviour"),
        pytest.param({"BakeTime": 60}, "not emulated", id="what is not emulated"),
    ],
)
def test_preferences_that_aws_refuses_are_refused(cloud: Cloud, preferences: dict[str, Any], message: str) -> None:
    make_group(cloud, 1)
    with pytest.raises(ClientError, match=message):
        start(cloud, new_version(cloud), **preferences)


@pytest.mark.parametrize("group_version", ["$Latest", "1"])
def test_automatic_rollback_is_refused_where_aws_can_not_do_it(cloud: Cloud, group_version: str) -> None:
    cloud.make_group(LaunchTemplate={"LaunchTemplateName": "node", "Version": group_version})
    with pytest.raises(ClientError, match="AutoRollback needs"):
        start(cloud, "1" if group_version == "$Latest" else None, AutoRollback=True)


def test_a_group_of_several_types_takes_the_new_version_with_its_policy(cloud: Cloud) -> None:
    policy: dict[str, Any] = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateName": "node", "Version": "1"},
            "Overrides": [{"InstanceType": "m5.large"}],
        }
    }
    cloud.api.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        MinSize=0,
        MaxSize=6,
        DesiredCapacity=1,
        VPCZoneIdentifier=",".join(cloud.subnets),
        MixedInstancesPolicy=policy,
    )
    cloud.scaling.step()
    version = new_version(cloud)
    policy["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] = version
    cloud.api.start_instance_refresh(
        AutoScalingGroupName=GROUP,
        Preferences=LAUNCH_FIRST,
        DesiredConfiguration={"MixedInstancesPolicy": policy},
    )
    cloud.scaling.step()
    assert images(cloud) == [IMAGE]
    shown = cloud.group()["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]
    assert shown["Version"] == version
