"""What an instance is born with, what it meets, and what stays closed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.documents import DOCUMENTS
from infra.names import SAVE
from swarmkeeper.domain.model import Role
from swarmkeeper.edge.settings import Settings, load_settings
from swarmkeeper.edge.settings_rules import ENGINE_RANGES
from tests.infra.conftest import ROOT, synthesised
from tests.infra.template import Template

GROUPS = ("demo-workers", "demo-managers")


def launch_data(template: Template, group: str) -> dict[str, Any]:
    data: dict[str, Any] = template.one("AWS::EC2::LaunchTemplate", LaunchTemplateName=group)["LaunchTemplateData"]
    return data


@pytest.mark.parametrize("group", GROUPS)
def test_a_container_cannot_take_the_nodes_role(template: Template, group: str) -> None:
    options = launch_data(template, group)["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)


@pytest.mark.parametrize("group", GROUPS)
def test_disks_are_encrypted_and_user_data_fits(template: Template, group: str) -> None:
    data = launch_data(template, group)
    assert all(each["Ebs"]["Encrypted"] and each["Ebs"]["VolumeType"] == "gp3" for each in data["BlockDeviceMappings"])
    assert len(data["UserData"].encode()) < 16 * 1024


@pytest.mark.parametrize("group", GROUPS)
def test_a_deployment_resizes_no_group_and_nobody_else_removes_a_node(template: Template, group: str) -> None:
    found = template.one("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName=group)
    assert "DesiredCapacity" not in found
    assert found["NewInstancesProtectedFromScaleIn"] is True
    assert found["HealthCheckType"] == "EC2"
    assert found["CapacityRebalance"] is False
    name = template.name_of("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName=group)
    suspended = template.one("Custom::SuspendedProcesses", AutoScalingGroupName=f"<{name}>")
    assert suspended["ScalingProcesses"] == ["AZRebalance"]


@pytest.mark.parametrize("group", GROUPS)
def test_an_instance_that_nobody_vouched_for_never_serves(template: Template, group: str) -> None:
    found = template.one("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName=group)
    hooks = {each["LifecycleHookName"]: each for each in found["LifecycleHookSpecificationList"]}
    assert hooks["join"]["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
    assert hooks["join"]["DefaultResult"] == "ABANDON"
    assert hooks["join"]["HeartbeatTimeout"] == 600
    assert hooks["leave"]["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("AWS::Events::Rule", {"Name": "demo-hooks"}),
        ("AWS::Events::Rule", {"Name": "demo-commands"}),
        ("AWS::SQS::Queue", {"QueueName": "demo-registrar"}),
        ("AWS::Lambda::Function", {"FunctionName": "demo-registrar"}),
        ("AWS::Lambda::EventSourceMapping", {"ScalingConfig": {"MaximumConcurrency": 10}}),
        ("AWS::SSM::Document", {"Name": "demo-node-join"}),
        ("AWS::DynamoDB::Table", {"TableName": "demo-state"}),
        ("AWS::SSM::Parameter", {}),
        ("AWS::SecretsManager::Secret", {"Name": "demo/ca"}),
    ],
)
def test_the_first_instance_meets_all_that_serves_it(
    template: Template, group: str, kind: str, wanted: dict[str, Any]
) -> None:
    name = template.name_of("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName=group)
    assert template.name_of(kind, **wanted) in template.waits_for(name)


@pytest.mark.parametrize("kind", ["AWS::SQS::QueuePolicy", "AWS::Lambda::Permission", "AWS::EC2::NatGateway"])
def test_the_first_instance_meets_every_permission_and_a_way_out(template: Template, kind: str) -> None:
    waits = template.waits_for(template.name_of("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName=GROUPS[0]))
    assert set(template.of_type(kind)) <= waits


def test_the_first_instances_role_has_its_permissions_before_it_starts(template: Template) -> None:
    waits = template.waits_for(template.name_of("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName=GROUPS[0]))
    role = template.role_of_pool(GROUPS[0])
    policies = {name for name, each in template.of_type("AWS::IAM::Policy").items() if f"<{role}>" in each["Roles"]}
    assert policies
    assert policies <= waits


def test_the_table_outlives_the_stack_and_can_be_restored(template: Template) -> None:
    table = template.one("AWS::DynamoDB::Table", TableName="demo-state")
    assert template.kept(template.name_of("AWS::DynamoDB::Table", TableName="demo-state")) == "RetainExceptOnCreate"
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_secrets_have_no_value_in_the_template(template: Template) -> None:
    for secret in template.of_type("AWS::SecretsManager::Secret").values():
        assert not {"SecretString", "GenerateSecretString"} & secret.keys()
    assert "PRIVATE KEY" not in template.text


def test_functions_read_the_settings_that_were_checked(template: Template) -> None:
    assert Settings.from_json(template.one("AWS::SSM::Parameter")["Value"]) == load_settings(
        ROOT / "swarmkeeper.demo.yaml"
    )


# Who may open a connection to whom: (from, to, protocol, port).
OPEN = {
    ("Functions that call engines", "All nodes", "tcp", 2376),
    ("All nodes", "Managers of the Swarm", "tcp", 2377),
    ("All nodes", "All nodes", "tcp", 7946),
    ("All nodes", "All nodes", "udp", 7946),
    ("All nodes", "All nodes", "udp", 4789),
    ("The load balancer", "Nodes with a router", "tcp", 8080),
    ("Nodes with a router", "The load balancer of the locator", "tcp", 8081),
}


def test_exactly_the_named_ports_are_open(template: Template) -> None:
    described = template.of_type("AWS::EC2::SecurityGroup").items()
    groups = {f"<{name}.GroupId>": each["GroupDescription"] for name, each in described}
    rules = template.of_type("AWS::EC2::SecurityGroupIngress").values()
    found = {
        (groups[each["SourceSecurityGroupId"]], groups[each["GroupId"]], each["IpProtocol"], each["FromPort"])
        for each in rules
    }
    assert found == OPEN
    assert all(each["FromPort"] == each["ToPort"] for each in rules)


def test_nodes_let_each_others_encrypted_datagrams_in_where_networks_are_encrypted(tmp_path: Path) -> None:
    settings = json.loads(load_settings(ROOT / "swarmkeeper.demo.yaml").to_json())
    settings["network"]["encrypted"] = True
    template = synthesised(Settings.from_json(json.dumps(settings)), tmp_path)
    rules = template.of_type("AWS::EC2::SecurityGroupIngress").values()
    (esp,) = [rule for rule in rules if rule["IpProtocol"] == "50"]
    assert esp["SourceSecurityGroupId"] == esp["GroupId"]
    stored = json.loads(template.one("AWS::SSM::Parameter", Name="/demo/settings")["Value"])
    assert stored["network"]["encrypted"] is True


def test_only_the_load_balancer_takes_addresses_and_those_of_the_vpc_only(template: Template) -> None:
    inline = {
        each["GroupDescription"]: each["SecurityGroupIngress"]
        for each in template.of_type("AWS::EC2::SecurityGroup").values()
        if "SecurityGroupIngress" in each
    }
    assert list(inline) == ["The load balancer"]
    (rule,) = inline["The load balancer"]
    assert rule["FromPort"] == rule["ToPort"] == 80
    assert rule["CidrIp"].endswith(".CidrBlock>")
    assert template.one("AWS::ElasticLoadBalancingV2::LoadBalancer", Name="demo-routers")["Scheme"] == "internal"


def test_the_load_balancer_asks_the_routers_own_health_path(template: Template) -> None:
    group = template.one("AWS::ElasticLoadBalancingV2::TargetGroup", Name="demo-routers")
    assert (group["HealthCheckPath"], group["Port"]) == ("/healthz", 8080)
    workers = template.one("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName="demo-workers")
    managers = template.one("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName="demo-managers")
    routers = template.name_of("AWS::ElasticLoadBalancingV2::TargetGroup", Name="demo-routers")
    assert workers["TargetGroupARNs"] == [f"<{routers}>"]
    assert "TargetGroupARNs" not in managers


@pytest.mark.parametrize("name", sorted(DOCUMENTS.keys() - {SAVE}))
def test_a_document_checks_every_parameter_and_fits(template: Template, name: str) -> None:
    assert_checks_every_parameter_and_fits(template.one("AWS::SSM::Document", Name=f"demo-{name}")["Content"])


def assert_checks_every_parameter_and_fits(content: dict[str, Any]) -> None:
    script = "\n".join(content["mainSteps"][0]["inputs"]["runCommand"])
    assert set(re.findall(r"\{\{ ?(\w+) ?\}\}", script)) == set(content["parameters"])
    assert "{{." not in script  # Systems Manager would take it for a parameter
    for parameter in content["parameters"].values():
        pattern = parameter["allowedPattern"]
        assert pattern[0] + pattern[-1] == "^$"
        assert not any(re.search(pattern, bad) for bad in ("'; reboot; '", "$(reboot)", "`reboot`", "a\nb", "a b"))
    assert len(json.dumps(content)) < 64 * 1024


def test_a_join_document_holds_no_token_and_checks_what_it_downloads(template: Template) -> None:
    content = template.one("AWS::SSM::Document", Name="demo-node-join")["Content"]
    script = "\n".join(content["mainSteps"][0]["inputs"]["runCommand"])
    assert "token" not in content["parameters"]
    assert "SWMTKN" not in template.text
    assert re.search(r"ASSET_SHA256='[0-9a-f]{64}'", script)


def test_routers_are_told_whom_to_believe_what_to_log_and_how_much_to_take(template: Template) -> None:
    content = template.one("AWS::SSM::Document", Name="demo-node-join")["Content"]
    lines = content["mainSteps"][0]["inputs"]["runCommand"]
    assert {"VPC_CIDR='10.42.0.0/16'", "ACCESS_LOG='yes'", f"BODY_LIMIT='{2**30}'"} <= set(lines)


def test_the_engines_own_ranges_are_those_that_the_settings_are_checked_against(template: Template) -> None:
    script = launch_data(template, "demo-workers")["UserData"]
    bridge, pool = (str(each) for each in ENGINE_RANGES.values())
    assert f'"bip": "{bridge.replace(".0.0/", ".0.1/")}"' in script
    assert f'"base": "{pool}"' in script


def test_every_pool_of_the_settings_has_its_group(template: Template) -> None:
    settings = load_settings(ROOT / "swarmkeeper.demo.yaml")
    for name, pool in settings.pools.items():
        found = template.one("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName=f"demo-{name}")
        assert (found["MinSize"], found["MaxSize"]) == (str(pool.min), str(pool.max))
    assert len(settings.pools_of(Role.MANAGER)) == 1


@pytest.mark.parametrize("isolation", ["fleet", "tenant"])
def test_nodes_guard_engines_and_routers_refuse_containers_where_tenants_have_networks(
    isolation: str, tmp_path: Path
) -> None:
    file = tmp_path / "swarmkeeper.yaml"
    shipped = (ROOT / "swarmkeeper.demo.yaml").read_text()
    assert shipped.count("network:\n") == 1
    file.write_text(shipped.replace("network:\n", f"network:\n  isolation: {isolation}\n"))
    template = synthesised(load_settings(file), tmp_path)
    document = template.one("AWS::SSM::Document", Name="demo-node-join")
    lines = document["Content"]["mainSteps"][0]["inputs"]["runCommand"]
    assert f"TENANT_NETWORKS='{'yes' if isolation == 'tenant' else ''}'" in lines
    assert f"OVERLAY_PREFIX='{22 if isolation == 'tenant' else 24}'" in lines
    stored = json.loads(template.one("AWS::SSM::Parameter", Name="/demo/settings")["Value"])
    assert stored["network"]["isolation"] == isolation
