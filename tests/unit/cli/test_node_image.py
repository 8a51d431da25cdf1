"""`swarmkeeper node-image`: an image is made and rolled out step by step; a step that was taken is not taken again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from typer.testing import CliRunner, Result

from local.aws.commands import AgentTiming, Commands
from local.aws.server import AwsServer
from local.machines import CommandOutput
from swarmkeeper.cli import node_image
from swarmkeeper.cli.fleet import FleetError
from swarmkeeper.cli.main import app
from swarmkeeper.cli.node_images import NodeImages
from swarmkeeper.cli.node_refresh import Pace, TemplateInUse
from tests.unit.local.group_cloud import GROUP, JOIN, Cloud, fresh_cloud, node_account

OLD = "ami-12345678"
ALARM = f"{GROUP}-failed"


@pytest.fixture(scope="module")
def account() -> Iterator[AwsServer]:
    with node_account() as running:
        yield running


@dataclass
class Account:
    """The group `demo-web` with its images; waiting moves the cloud's clock instead of taking time."""

    cloud: Cloud
    images: NodeImages

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["node-image", *arguments])

    def told(self, *arguments: str) -> dict[str, Any]:
        done = self.run(*arguments)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def bake(self, name: str = "web-2") -> str:
        builder = self.told("build", "web", "--name", name)["instance"]
        return str(self.told("bake", "web", builder, "--name", name)["image"])

    def nodes_images(self) -> list[str]:
        return [self.cloud.ec2_instance(each)["ImageId"] for each in self.cloud.ids()]


@pytest.fixture
def there(account: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with fresh_cloud(account) as cloud:
        cloud.make_group(DesiredCapacity=2, LaunchTemplate={"LaunchTemplateName": "node", "Version": "1"})
        client = account.client
        images = NodeImages(
            GROUP, client("ec2"), client("autoscaling"), client("ssm"), sleep=cloud.pass_time, clock=cloud.clock
        )
        monkeypatch.setattr(node_image, "find_node_images", lambda fleet, pool: images)
        commands = Commands(
            account.backend("ssm"),
            cloud.scaling.instances,
            cloud.bus,
            timing=AgentTiming(agent_delay_s=5, delivery_s=0, visible_s=0),
            clock=cloud.clock,
        )
        commands.install()
        try:
            yield Account(cloud, images)
        finally:
            commands.uninstall()


def test_a_builder_is_like_the_pools_instances_and_none_of_them(there: Account) -> None:
    builder = there.told("build", "web", "--name", "web-2")["instance"]
    shown = there.cloud.ec2_instance(builder)
    assert builder not in there.cloud.ids()
    assert (shown["ImageId"], shown["InstanceType"]) == (OLD, "m6g.large")
    assert shown["IamInstanceProfile"]["Arn"].endswith("node-profile")
    (machine,) = [each for each in there.cloud.machines.started if each.id == builder]
    assert machine.user_data == ""
    there.run("discard", "web", builder)
    assert builder not in there.cloud.machines.running()


def test_a_script_runs_on_a_builder_once_its_agent_is_there(there: Account, tmp_path: Path) -> None:
    builder = there.told("build", "web", "--name", "web-2")["instance"]
    script = tmp_path / "script.sh"
    script.write_text("echo done")
    there.cloud.machines.answer = lambda instance, command: CommandOutput(0, "ok=3 changed=2 \n", "")
    done = there.run("run", "web", builder, "--script", str(script))
    assert (done.exit_code, done.stdout.strip()) == (0, "ok=3 changed=2")
    ((instance, command),) = there.cloud.machines.commands
    assert (instance, command.script) == (builder, "echo done")


def test_a_script_that_fails_is_told_with_what_it_said(there: Account, tmp_path: Path) -> None:
    builder = there.told("build", "web", "--name", "web-2")["instance"]
    script = tmp_path / "script.sh"
    script.write_text("false")
    there.cloud.machines.answer = lambda instance, command: CommandOutput(1, "", "no such package")
    done = there.run("run", "web", builder, "--script", str(script))
    assert done.exit_code != 0
    assert "no such package" in done.stderr


def test_a_node_is_not_taken_for_a_builder(there: Account, tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_text("true")
    node = there.cloud.ids()[0]
    for arguments in (("run", "--script", str(script)), ("bake", "--name", "x"), ("discard",)):
        done = there.run(arguments[0], "web", node, *arguments[1:])
        assert "is no builder" in done.stderr
    assert len(there.cloud.states()) == 2


def test_builders_are_ended_by_name_without_being_known_by_id(there: Account) -> None:
    wanted, other = (there.told("build", "web", "--name", name)["instance"] for name in ("web-2", "web-3"))
    assert there.told("discard", "web", "--name", "web-2") == {"ended": [wanted]}
    assert there.told("discard", "web", "--name", "web-2") == {"ended": []}
    assert wanted not in there.cloud.machines.running()
    assert other in there.cloud.machines.running()
    assert len(there.cloud.states()) == 2
    there.run("discard", "web", other)


@pytest.mark.parametrize("arguments", [(), ("i-1", "--name", "web-2")])
def test_builders_are_ended_by_id_or_by_name(there: Account, arguments: tuple[str, ...]) -> None:
    done = there.run("discard", "web", *arguments)
    assert done.exit_code == 2
    assert "either" in done.stderr


def test_an_image_of_the_name_is_made_once(there: Account) -> None:
    assert there.told("find", "web", "--name", "web-2") == {"image": ""}
    builder = there.told("build", "web", "--name", "web-2")["instance"]
    first = there.told("bake", "web", builder, "--name", "web-2")
    again = there.told("bake", "web", builder, "--name", "web-2")
    assert (first["changed"], again["changed"]) == (True, False)
    assert first["image"] == again["image"] == there.told("find", "web", "--name", "web-2")["image"]


def test_an_image_that_could_not_be_made_is_an_error(there: Account) -> None:
    builder = there.told("build", "web", "--name", "web-2")["instance"]
    there.cloud.machines.die(builder)
    done = there.run("bake", "web", builder, "--name", "web-2")
    assert "its state is failed" in done.stderr


def test_an_image_that_is_being_made_is_waited_for(there: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    made = there.cloud.server.backend("ec2").amis[there.bake()]
    made.state = "pending"
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            made.state = "available"

    monkeypatch.setattr(node_image, "find_node_images", lambda fleet, pool: replace(there.images, sleep=sleep))
    assert there.told("find", "web", "--name", "web-2") == {"image": made.id}
    assert len(waited) == 3


def test_an_image_that_is_never_made_is_waited_for_up_to_the_limit(there: Account) -> None:
    made = there.cloud.server.backend("ec2").amis[there.bake()]
    made.state = "pending"
    begun = there.cloud.clock()
    done = there.run("find", "web", "--name", "web-2", "--limit", "60")
    assert (done.exit_code != 0, done.stdout) == (True, "")
    assert f"waited too long for image {made.id}" in done.stderr
    assert 60 <= there.cloud.clock() - begun < 120


@pytest.mark.parametrize("state", ["failed", "error", "invalid"])
def test_an_image_that_could_not_be_made_is_not_found_but_told(there: Account, state: str) -> None:
    made = there.cloud.server.backend("ec2").amis[there.bake()]
    made.state = state
    done = there.run("find", "web", "--name", "web-2")
    assert (done.exit_code != 0, done.stdout) == (True, "")
    assert f"its state is {state}" in done.stderr
    assert f"deregister-image --image-id {made.id}" in done.stderr


def test_a_version_that_names_the_image_is_made_once_and_changes_nothing_else(there: Account) -> None:
    image = there.bake()
    assert there.told("release", "web", image) == {"version": "2", "changed": True}
    assert there.told("release", "web", image) == {"version": "2", "changed": False}
    assert there.told("release", "web", OLD) == {"version": "1", "changed": False}
    listed = there.images.ec2.describe_launch_template_versions(LaunchTemplateName="node")["LaunchTemplateVersions"]
    first, second = sorted(listed, key=lambda each: int(each["VersionNumber"]))
    assert {**second["LaunchTemplateData"], "ImageId": OLD} == first["LaunchTemplateData"]


def test_nodes_are_replaced_and_the_group_goes_on_with_the_image(there: Account) -> None:
    image = there.bake()
    version = there.told("release", "web", image)["version"]
    done = there.run("refresh", "web", version, "--checkpoint", "50", "--pause", "60")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["status"] == "Successful"
    assert "Checkpoint of 50% reached" in done.stderr
    assert there.nodes_images() == [image] * 2
    assert there.images.template().version == version


def test_nothing_is_refreshed_where_every_node_has_the_version(there: Account) -> None:
    assert there.told("refresh", "web", "1") == {"refresh": "", "status": "Successful", "changed": False}
    assert there.cloud.api.describe_instance_refreshes(AutoScalingGroupName=GROUP)["InstanceRefreshes"] == []


def test_a_builder_that_runs_is_the_one_of_its_name(there: Account) -> None:
    first, again = (there.told("build", "web", "--name", "web-2")["instance"] for _ in range(2))
    assert first == again
    there.run("discard", "web", first)
    assert there.told("build", "web", "--name", "web-2")["instance"] != first


def test_a_refresh_that_runs_to_the_version_is_gone_on_with(there: Account) -> None:
    there.cloud.api.put_lifecycle_hook(AutoScalingGroupName=GROUP, **JOIN)
    version = there.told("release", "web", there.bake())["version"]
    begun = there.images.refresh(version, Pace())
    there.cloud.scaling.step()
    assert there.images.refresh(version, Pace()) == (begun[0], False)
    with pytest.raises(FleetError, match="InstanceRefreshInProgress"):
        there.images.refresh("1", Pace())


def test_a_refresh_that_was_rolled_back_fails_the_command_with_the_reason(there: Account) -> None:
    version = there.told("release", "web", there.bake())["version"]
    alarms = there.cloud.server.client("cloudwatch")
    alarms.put_metric_alarm(
        AlarmName=ALARM,
        MetricName="PoolFailed",
        Namespace="demo",
        Period=60,
        EvaluationPeriods=1,
        Statistic="Maximum",
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    alarms.set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason="a test says so")
    done = there.run("refresh", "web", version)
    assert done.exit_code == 1
    assert "RollbackSuccessful" in done.stderr
    assert ALARM in done.stderr
    assert there.nodes_images() == [OLD] * 2
    assert there.images.template().version == "1"


def test_a_refresh_that_takes_too_long_goes_on_and_fails_the_command(there: Account) -> None:
    there.cloud.api.put_lifecycle_hook(AutoScalingGroupName=GROUP, **JOIN)
    version = there.told("release", "web", there.bake())["version"]
    done = there.run("refresh", "web", version, "--limit", "30")
    assert done.exit_code != 0
    assert "it goes on" in done.stderr


@dataclass
class Answers:
    """Auto Scaling, as far as a refresh is followed: it answers what it is told to, one after the other."""

    waiting: list[Exception | str]
    last: Exception | str = ""

    def describe_instance_refreshes(self, **_: Any) -> dict[str, Any]:
        self.last = self.waiting.pop(0) if self.waiting else self.last
        if isinstance(self.last, Exception):
            raise self.last
        return {"InstanceRefreshes": [{"InstanceRefreshId": "r-1", "Status": self.last}]}


def refused(code: str, status: int = 400) -> ClientError:
    told: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(told, "DescribeInstanceRefreshes")


def following(*answers: Exception | str) -> tuple[NodeImages, list[float]]:
    """The images with these answers, and what was slept."""
    slept: list[float] = []
    api = Answers(list(answers))
    return NodeImages(GROUP, None, api, None, sleep=slept.append, clock=lambda: sum(slept)), slept


@pytest.mark.parametrize(
    "error",
    [
        refused("Throttling"),
        refused("RequestLimitExceeded"),
        refused("InternalFailure", 500),
        refused("ServiceUnavailable", 503),
        EndpointConnectionError(endpoint_url="https://autoscaling.invalid"),
        ReadTimeoutError(endpoint_url="https://autoscaling.invalid"),
    ],
    ids=lambda error: str(error)[-60:],
)
def test_a_refresh_is_followed_although_aws_could_not_be_asked_for_a_while(error: Exception) -> None:
    images, slept = following("InProgress", error, error, "Successful")
    assert [one["Status"] for one in images.follow("r-1", 3600)] == ["InProgress", "Successful"]
    assert slept == [15.0] * 3


def test_what_does_not_pass_ends_the_waiting_at_once() -> None:
    images, slept = following("InProgress", refused("AccessDenied", 403), "Successful")
    with pytest.raises(FleetError, match="AccessDenied"):
        list(images.follow("r-1", 3600))
    assert slept == [15.0]


def test_aws_is_asked_again_up_to_the_limit_and_what_it_said_is_told() -> None:
    images, slept = following("InProgress", refused("Throttling"))
    with pytest.raises(FleetError, match=r"within 60 s; it goes on\. AWS did not tell at last: .*Throttling"):
        list(images.follow("r-1", 60))
    assert slept == [15.0] * 4


def test_the_parameter_of_the_next_deployment_is_written_when_it_differs(there: Account) -> None:
    publish = ("publish", "web", OLD, "--parameter", "/demo/node-image")
    assert [there.told(*publish)["changed"] for _ in range(2)] == [True, False]
    found = there.images.ssm.get_parameter(Name="/demo/node-image")["Parameter"]
    assert (found["Value"], found["DataType"]) == (OLD, "aws:ec2:image")


def test_the_policy_of_a_group_of_several_types_is_kept() -> None:
    policy: dict[str, Any] = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": "lt-1", "Version": "1"},
            "Overrides": [{"InstanceType": "m5.large"}],
        },
        "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 0},
    }
    wanted = TemplateInUse("lt-1", "1", {}, policy, (), ()).configuration("2")["MixedInstancesPolicy"]
    assert wanted["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] == "2"
    assert wanted["LaunchTemplate"]["Overrides"] == policy["LaunchTemplate"]["Overrides"]
    assert wanted["InstancesDistribution"] == policy["InstancesDistribution"]
