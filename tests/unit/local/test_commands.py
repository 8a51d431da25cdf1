"""Run Command behaves as on AWS: through boto3, against the emulated APIs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.ssm.responses import SimpleSystemManagerResponse

from local.aws.commands import AgentTiming, Commands
from local.aws.instances import Ec2Machines, Launch
from local.aws.server import AwsServer
from local.machines import CommandOutput, MachineError, NodeCommand
from tests.unit.local.cloud_fakes import FakeMachines, InlineExecutor, ManualClock, RecordingBus, eventually

INVOCATION = "EC2 Command Invocation Status-change Notification"
COMMAND = "EC2 Command Status-change Notification"
HELLO = {
    "schemaVersion": "2.2",
    "parameters": {"word": {"type": "String", "allowedPattern": "[a-z]+"}},
    "mainSteps": [
        {
            "action": "aws:runShellScript",
            "name": "hello",
            "inputs": {"runCommand": ["echo {{ word }}"], "timeoutSeconds": "60"},
        }
    ],
}


@dataclass
class Cloud:
    server: AwsServer
    commands: Commands
    instances: Ec2Machines
    machines: FakeMachines
    bus: RecordingBus
    clock: ManualClock

    @property
    def api(self) -> Any:
        return self.server.client("ssm")

    def launch(self) -> str:
        """Start an instance, whose agent has not registered yet."""
        ec2 = self.instances.ec2
        template = next(iter(ec2.launch_templates.values()))
        subnet = ec2.describe_subnets()[0]
        launch = Launch(template.default_version(), subnet.id, subnet.availability_zone, {})
        return self.instances.launch(launch).id

    def node(self) -> str:
        """An instance whose agent has registered."""
        instance_id = self.launch()
        self.clock.advance(20)
        return instance_id

    def send(self, *instance_ids: str, document: str = "demo-hello", **more: Any) -> str:
        parameters = {"Parameters": {"word": ["hi"]}} if document == "demo-hello" else {}
        answer = self.api.send_command(DocumentName=document, InstanceIds=list(instance_ids), **(parameters | more))
        return str(answer["Command"]["CommandId"])

    def result(self, command_id: str, instance_id: str, **more: Any) -> Any:
        return self.api.get_command_invocation(CommandId=command_id, InstanceId=instance_id, **more)

    def done(self, command_id: str, instance_id: str, **more: Any) -> Any:
        """The invocation's result, when it has ended."""
        self.clock.advance(1)
        going = ("Pending", "InProgress", "Cancelling")
        eventually(lambda: self.bus_status(command_id) not in (None, *going))
        return self.result(command_id, instance_id, **more)

    def bus_status(self, command_id: str) -> str | None:
        told = [d["status"] for d in self.bus.details(COMMAND) if d["command-id"] == command_id]
        return told[-1] if told else None


@pytest.fixture(scope="module")
def account() -> Iterator[AwsServer]:
    with AwsServer() as running:
        yield running


@pytest.fixture
def cloud(account: AwsServer) -> Iterator[Cloud]:
    for service in ("ec2", "ssm"):
        account.backend(service).reset()
    machines, bus, clock = FakeMachines(), RecordingBus(), ManualClock()
    instances = Ec2Machines(account.backend("ec2"), machines, bus, clock=clock, executor=InlineExecutor())
    timing = AgentTiming(agent_delay_s=20, delivery_s=0.01, visible_s=0.3)
    commands = Commands(account.backend("ssm"), instances, bus, timing=timing, clock=clock)
    account.client("ec2").create_launch_template(
        LaunchTemplateName="node", LaunchTemplateData={"ImageId": "ami-1", "InstanceType": "m6g.large"}
    )
    instances.install()
    commands.install()
    cloud = Cloud(account, commands, instances, machines, bus, clock)
    make_document(cloud, "demo-hello", HELLO)
    try:
        yield cloud
    finally:
        commands.uninstall()
        instances.uninstall()


def make_document(cloud: Cloud, name: str, content: dict[str, Any], **more: Any) -> None:
    cloud.api.create_document(Name=name, Content=json.dumps(content), DocumentType="Command", **more)


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# The agent


def test_a_command_is_refused_until_the_instances_agent_has_registered(cloud: Cloud) -> None:
    instance_id = cloud.launch()
    cloud.clock.advance(19.9)
    account = "123456789012"
    expected = ("InvalidInstanceId", f"Instances [[{instance_id}]] not in a valid state for account {account}")
    assert refusal(lambda: cloud.send(instance_id)) == expected
    cloud.clock.advance(0.1)
    assert cloud.done(cloud.send(instance_id), instance_id)["Status"] == "Success"


def test_an_agent_that_registers_at_once_is_not_possible() -> None:
    with pytest.raises(ValueError, match="never there at once"):
        AgentTiming(agent_delay_s=0)


def test_registered_instances_are_listed_and_a_dead_machine_has_lost_its_connection(cloud: Cloud) -> None:
    first, second = cloud.node(), cloud.node()
    late = cloud.launch()
    cloud.machines.die(second)
    listed = cloud.api.describe_instance_information()["InstanceInformationList"]
    assert {i["InstanceId"]: i["PingStatus"] for i in listed} == {first: "Online", second: "ConnectionLost"}
    assert late not in {i["InstanceId"] for i in listed}
    chosen = cloud.api.describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [first]}])
    assert [i["IPAddress"] for i in chosen["InstanceInformationList"]] == [cloud.machines.started[0].private_ip]


def test_a_terminated_instance_is_unknown_again(cloud: Cloud) -> None:
    instance_id = cloud.node()
    cloud.server.client("ec2").terminate_instances(InstanceIds=[instance_id])
    assert refusal(lambda: cloud.send(instance_id))[0] == "InvalidInstanceId"
    assert cloud.api.describe_instance_information()["InstanceInformationList"] == []


# Running


def test_the_documents_script_runs_on_the_instances_machine(cloud: Cloud) -> None:
    instance_id = cloud.node()
    cloud.machines.answer = lambda instance, command: CommandOutput(0, "out", "err")
    command_id = cloud.send(instance_id)
    result = cloud.done(command_id, instance_id)
    assert (result["Status"], result["StatusDetails"], result["ResponseCode"]) == ("Success", "Success", 0)
    assert (result["StandardOutputContent"], result["StandardErrorContent"]) == ("out", "err")
    assert (result["DocumentName"], result["PluginName"]) == ("demo-hello", "hello")
    ((where, order),) = cloud.machines.commands
    assert where == instance_id
    assert (order.id, order.document, order.script) == (command_id, "demo-hello", "echo hi")
    assert (dict(order.parameters), order.timeout_s) == ({"word": "hi"}, 60.0)


def test_a_document_in_yaml_runs_too(cloud: Cloud) -> None:
    instance_id = cloud.node()
    text = """
schemaVersion: "2.2"
mainSteps:
  - action: aws:runShellScript
    name: one
    inputs:
      runCommand:
        - |
          set -eu
          echo done
"""
    cloud.api.create_document(Name="demo-yaml", Content=text, DocumentType="Command", DocumentFormat="YAML")
    cloud.done(cloud.send(instance_id, document="demo-yaml"), instance_id)
    assert cloud.machines.commands[0][1].script == "set -eu\necho done\n"


def test_aws_run_shell_script_is_there(cloud: Cloud) -> None:
    instance_id = cloud.node()
    parameters = {"commands": ["echo a", "echo b"], "executionTimeout": ["5"]}
    cloud.done(cloud.send(instance_id, document="AWS-RunShellScript", Parameters=parameters), instance_id)
    order = cloud.machines.commands[0][1]
    assert (order.script, order.timeout_s) == ("echo a\necho b", 5.0)


def test_a_script_that_fails_is_a_failed_invocation_with_its_code(cloud: Cloud) -> None:
    instance_id = cloud.node()
    cloud.machines.answer = lambda instance, command: CommandOutput(3, "", "no such file")
    result = cloud.done(cloud.send(instance_id), instance_id)
    assert (result["Status"], result["StatusDetails"], result["ResponseCode"]) == ("Failed", "Failed", 3)


def test_a_script_that_outlasts_its_step_has_timed_out(cloud: Cloud) -> None:
    instance_id = cloud.node()

    def slow(instance: str, command: NodeCommand) -> CommandOutput:
        cloud.clock.advance(command.timeout_s)
        return CommandOutput(137, "", "")

    cloud.machines.answer = slow
    result = cloud.done(cloud.send(instance_id), instance_id)
    assert (result["Status"], result["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")


def test_an_instance_that_ends_while_a_script_runs_fails_the_invocation(cloud: Cloud) -> None:
    instance_id = cloud.node()

    def ends(instance: str, command: NodeCommand) -> CommandOutput:
        raise MachineError("it was terminated")

    cloud.machines.answer = ends
    result = cloud.done(cloud.send(instance_id), instance_id)
    assert (result["Status"], result["ResponseCode"]) == ("Failed", -1)


def test_output_is_cut_at_the_limits_of_aws(cloud: Cloud) -> None:
    instance_id = cloud.node()
    cloud.machines.answer = lambda instance, command: CommandOutput(0, "o" * 30_000, "e" * 30_000)
    command_id = cloud.send(instance_id)
    result = cloud.done(command_id, instance_id)
    assert len(result["StandardOutputContent"]) == 24_000
    assert len(result["StandardErrorContent"]) == 8_000
    (listed,) = cloud.api.list_command_invocations(CommandId=command_id, Details=True)["CommandInvocations"]
    assert [len(plugin["Output"]) for plugin in listed["CommandPlugins"]] == [2_500]


def test_an_invocation_does_not_exist_for_a_moment_after_sending(cloud: Cloud) -> None:
    instance_id = cloud.node()
    command_id = cloud.send(instance_id)
    assert refusal(lambda: cloud.result(command_id, instance_id))[0] == "InvocationDoesNotExist"
    assert cloud.api.list_command_invocations(CommandId=command_id)["CommandInvocations"] == []
    cloud.clock.advance(0.3)
    assert cloud.result(command_id, instance_id)["CommandId"] == command_id
    assert refusal(lambda: cloud.result(command_id, "i-00000000"))[0] == "InvocationDoesNotExist"


def test_a_running_invocation_shows_no_output_and_no_code(cloud: Cloud) -> None:
    instance_id = cloud.node()
    go_on = threading.Event()

    def slow(instance: str, command: NodeCommand) -> CommandOutput:
        go_on.wait(10)
        return CommandOutput(0, "late", "")

    cloud.machines.answer = slow
    command_id = cloud.send(instance_id)
    cloud.clock.advance(1)
    eventually(lambda: cloud.machines.commands)
    result = cloud.result(command_id, instance_id)
    assert (result["Status"], result["ResponseCode"], result["StandardOutputContent"]) == ("InProgress", -1, "")
    go_on.set()
    assert cloud.done(command_id, instance_id)["StandardOutputContent"] == "late"


def test_steps_run_in_order_and_stop_at_a_failure_only_when_told_to(cloud: Cloud) -> None:
    def steps(on_failure: str) -> dict[str, Any]:
        first = {
            "action": "aws:runShellScript",
            "name": "first",
            "onFailure": on_failure,
            "inputs": {"runCommand": ["false"]},
        }
        second = {"action": "aws:runShellScript", "name": "second", "inputs": {"runCommand": ["true"]}}
        return {"schemaVersion": "2.2", "mainSteps": [first, second]}

    instance_id = cloud.node()
    cloud.machines.answer = lambda instance, command: CommandOutput(int(command.script == "false"), "", "")
    make_document(cloud, "demo-stops", steps("exit"))
    make_document(cloud, "demo-goes-on", steps("continue"))
    stopped = cloud.send(instance_id, document="demo-stops")
    assert cloud.done(stopped, instance_id)["Status"] == "Failed"
    assert cloud.result(stopped, instance_id, PluginName="second")["Status"] == "Pending"
    went_on = cloud.send(instance_id, document="demo-goes-on")
    assert cloud.done(went_on, instance_id)["Status"] == "Failed"
    assert cloud.result(went_on, instance_id, PluginName="second")["Status"] == "Success"
    assert refusal(lambda: cloud.result(went_on, instance_id, PluginName="third"))[0] == "InvalidPluginName"


# Events


def test_each_status_of_an_invocation_is_told_with_the_shape_that_aws_sends(cloud: Cloud) -> None:
    instance_id = cloud.node()
    command_id = cloud.send(instance_id)
    cloud.done(command_id, instance_id)
    events = cloud.bus.of(INVOCATION)
    assert [event.detail["status"] for event in events] == ["InProgress", "Success"]
    assert events[-1].source == "aws.ssm"
    assert events[-1].resources == (f"arn:aws:ec2:{cloud.server.region}:123456789012:instance/{instance_id}",)
    detail = dict(events[-1].detail)
    assert str(detail.pop("requested-date-time")).endswith("Z")
    assert detail == {
        "command-id": command_id,
        "document-name": "demo-hello",
        "instance-id": instance_id,
        "status": "Success",
    }


def test_the_commands_own_status_is_told_once_for_all_its_instances(cloud: Cloud) -> None:
    first, second = cloud.node(), cloud.node()
    cloud.machines.answer = lambda instance, command: CommandOutput(int(instance == second), "", "")
    command_id = cloud.send(first, second)
    cloud.done(command_id, first)
    told = [d["status"] for d in cloud.bus.details(COMMAND) if d["command-id"] == command_id]
    assert told == ["InProgress", "Failed"]
    (shown,) = cloud.api.list_commands(CommandId=command_id)["Commands"]
    assert (shown["Status"], shown["TargetCount"], shown["CompletedCount"], shown["ErrorCount"]) == ("Failed", 2, 2, 1)
    assert cloud.bus.details(COMMAND)[-1]["parameters"] == {"word": ["hi"]}


# Delivery and cancelling


def test_a_command_to_a_machine_that_does_not_answer_is_given_up_at_its_delivery_time_out(cloud: Cloud) -> None:
    instance_id = cloud.node()
    cloud.machines.die(instance_id)
    command_id = cloud.send(instance_id, TimeoutSeconds=30)
    cloud.clock.advance(29)
    assert cloud.result(command_id, instance_id)["Status"] == "Pending"
    cloud.clock.advance(1)
    result = cloud.done(command_id, instance_id)
    assert (result["Status"], result["StatusDetails"]) == ("TimedOut", "DeliveryTimedOut")
    assert result["ResponseCode"] == -1


def test_a_command_that_is_lost_never_reaches_its_agent_and_the_next_one_does(cloud: Cloud) -> None:
    instance_id = cloud.node()
    cloud.commands.lost_next = 1
    lost, next_one = cloud.send(instance_id, TimeoutSeconds=30), cloud.send(instance_id)
    assert cloud.done(next_one, instance_id)["Status"] == "Success"
    cloud.clock.advance(1)
    assert cloud.result(lost, instance_id)["Status"] == "Pending"
    cloud.clock.advance(30)
    assert cloud.done(lost, instance_id)["StatusDetails"] == "DeliveryTimedOut"


def test_a_command_to_an_instance_that_is_terminated_meanwhile_is_undeliverable(cloud: Cloud) -> None:
    instance_id = cloud.node()
    cloud.machines.die(instance_id)
    command_id = cloud.send(instance_id)
    cloud.server.client("ec2").terminate_instances(InstanceIds=[instance_id])
    cloud.done(command_id, instance_id)
    (listed,) = cloud.api.list_command_invocations(CommandId=command_id)["CommandInvocations"]
    assert (listed["Status"], listed["StatusDetails"]) == ("Failed", "Undeliverable")


def test_cancelling_ends_what_waits_and_drops_the_result_of_what_runs(cloud: Cloud) -> None:
    running, waiting = cloud.node(), cloud.node()
    cloud.machines.die(waiting)
    go_on = threading.Event()

    def slow(instance: str, command: NodeCommand) -> CommandOutput:
        go_on.wait(10)
        return CommandOutput(0, "", "")

    cloud.machines.answer = slow
    command_id = cloud.send(running, waiting)
    cloud.clock.advance(1)
    eventually(lambda: cloud.machines.commands)
    cloud.api.cancel_command(CommandId=command_id)
    listed = cloud.api.list_command_invocations(CommandId=command_id)["CommandInvocations"]
    assert {i["InstanceId"]: i["Status"] for i in listed} == {running: "Cancelling", waiting: "Cancelled"}
    go_on.set()
    eventually(lambda: cloud.bus_status(command_id) == "Cancelled")


# Refusals


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        pytest.param({}, "InvalidParameters", id="missing"),
        pytest.param({"word": ["hi"], "other": ["x"]}, "InvalidParameters", id="unknown"),
        pytest.param({"word": ["hi; reboot"]}, "InvalidParameters", id="not of the allowed pattern"),
        pytest.param({"word": ["{{ssm:/demo/secret}}"]}, "InvalidParameters", id="a SecureString"),
    ],
)
def test_parameters_that_do_not_suit_the_document_are_refused(
    cloud: Cloud, parameters: dict[str, list[str]], code: str
) -> None:
    cloud.api.put_parameter(Name="/demo/secret", Value="abc", Type="SecureString")
    instance_id = cloud.node()
    assert refusal(lambda: cloud.send(instance_id, Parameters=parameters))[0] == code


def test_a_value_can_name_a_stored_parameter(cloud: Cloud) -> None:
    cloud.api.put_parameter(Name="/demo/word", Value="stored", Type="String")
    instance_id = cloud.node()
    cloud.done(cloud.send(instance_id, Parameters={"word": ["{{ssm:/demo/word}}"]}), instance_id)
    assert cloud.machines.commands[0][1].script == "echo stored"


def test_an_unknown_document_is_refused(cloud: Cloud) -> None:
    instance_id = cloud.node()
    assert refusal(lambda: cloud.send(instance_id, document="demo-nothing"))[0] == "InvalidDocument"


def test_a_document_of_more_than_64_kib_is_refused_when_made_and_when_filled_in(cloud: Cloud) -> None:
    big = HELLO | {"description": "x" * 65_536}
    assert refusal(lambda: make_document(cloud, "demo-big", big))[0] == "MaxDocumentSizeExceeded"
    instance_id = cloud.node()
    call = lambda: cloud.send(instance_id, Parameters={"word": ["a" * 65_536]})  # noqa: E731
    assert refusal(call)[0] == "MaxDocumentSizeExceeded"


def test_a_document_that_run_command_could_not_run_is_refused_and_not_kept(cloud: Cloud) -> None:
    faulty = HELLO | {"mainSteps": [{"action": "aws:downloadContent", "name": "x", "inputs": {}}]}
    assert refusal(lambda: make_document(cloud, "demo-faulty", faulty))[0] == "InvalidDocumentContent"
    assert refusal(lambda: cloud.api.get_document(Name="demo-faulty"))[0] == "InvalidDocument"


@pytest.mark.parametrize(
    "more",
    [pytest.param({"TimeoutSeconds": 31}, id="within"), pytest.param({"TimeoutSeconds": 2_592_001}, id="too long")],
)
def test_the_delivery_time_out_has_a_range(cloud: Cloud, more: dict[str, Any]) -> None:
    instance_id = cloud.node()
    if more["TimeoutSeconds"] == 31:
        cloud.send(instance_id, **more)
    else:
        assert refusal(lambda: cloud.send(instance_id, **more))[0] == "ValidationException"


def test_instances_can_be_named_by_tag(cloud: Cloud) -> None:
    instance_id = cloud.node()
    cloud.server.client("ec2").create_tags(Resources=[instance_id], Tags=[{"Key": "pool", "Value": "web"}])
    command_id = cloud.send(Targets=[{"Key": "tag:pool", "Values": ["web"]}])
    assert cloud.done(command_id, instance_id)["Status"] == "Success"


def test_uninstalling_leaves_moto_as_it_was(cloud: Cloud) -> None:
    assert hasattr(SimpleSystemManagerResponse, "cancel_command")
    cloud.commands.uninstall()
    assert not hasattr(SimpleSystemManagerResponse, "cancel_command")
    assert SimpleSystemManagerResponse.send_command.__module__ == "moto.ssm.responses"
