"""The locator: where a fleet whose tenants have networks of their own has it, who asks it, and what it may see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from cfnlint.api import lint_file  # type: ignore[import-untyped]  # it ships no types

from infra import bundle
from infra.documents import script_lines
from infra.locator import LOCATOR_PORT
from infra.stack import FleetStack
from local.aws.permissions import policy_allows
from swarmkeeper.adapters.aws.items import container_key
from swarmkeeper.domain.model import ContainerName
from tests.infra.conftest import settings_of, synthesised
from tests.infra.template import Statement, Template
from tests.infra.test_cfn_lint import CDKS_OWN
from tests.infra.test_nag import found_in

GROUP = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"


def target_group(template: Template) -> dict[str, Any]:
    return template.one("AWS::ElasticLoadBalancingV2::TargetGroup", Name="demo-locator")


def statement_of(template: Template) -> Statement:
    (statement,) = template.statements_of(template.role_of_function("demo-locator"))
    return statement


def test_a_fleet_on_one_network_has_none_of_it(shared: Template) -> None:
    assert "demo-locator" not in shared.text
    assert len(shared.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer")) == 1


def test_its_balancer_is_inside_the_vpc_and_drops_what_is_no_header(tenants: Template) -> None:
    balancer = tenants.one("AWS::ElasticLoadBalancingV2::LoadBalancer", Name="demo-locator")
    routers = tenants.one("AWS::ElasticLoadBalancingV2::LoadBalancer", Name="demo-routers")
    attributes = {each["Key"]: each["Value"] for each in balancer["LoadBalancerAttributes"]}
    assert balancer["Scheme"] == "internal"
    assert balancer["Subnets"] == routers["Subnets"]
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"


def test_requests_go_to_the_published_version(tenants: Template) -> None:
    listener = tenants.one("AWS::ElasticLoadBalancingV2::Listener", Port=LOCATOR_PORT)
    (action,) = listener["DefaultActions"]
    group = tenants.name_of("AWS::ElasticLoadBalancingV2::TargetGroup", Name="demo-locator")
    assert (listener["Protocol"], action["Type"], action["TargetGroupArn"]) == ("HTTP", "forward", f"<{group}>")
    (target,) = target_group(tenants)["Targets"]
    assert target_group(tenants)["TargetType"] == "lambda"
    assert tenants.called(target["Id"]) == "demo-locator"


def test_the_balancer_may_call_the_function_before_it_is_told_to(tenants: Template) -> None:
    permission = tenants.name_of("AWS::Lambda::Permission", Principal="elasticloadbalancing.amazonaws.com")
    group = tenants.name_of("AWS::ElasticLoadBalancingV2::TargetGroup", Name="demo-locator")
    assert permission in tenants.waits_for(group)


@pytest.mark.parametrize(
    ("group", "may"),
    [(f"{GROUP}/demo-locator/0123456789abcdef", True), (f"{GROUP}/demo-routers/0123456789abcdef", False)],
)
def test_only_the_locators_own_target_group_may_call_it(tenants: Template, group: str, may: bool) -> None:
    permission = tenants.one("AWS::Lambda::Permission", Principal="elasticloadbalancing.amazonaws.com")
    assert tenants.called(permission["FunctionName"]) == "demo-locator"
    policy = {
        "Statement": {
            "Effect": "Allow",
            "Action": permission["Action"],
            "Principal": {"Service": permission["Principal"]},
            "Condition": {"ArnLike": {"AWS:SourceArn": permission["SourceArn"]}},
        }
    }
    facts = {"aws:sourcearn": group}
    service, action = "elasticloadbalancing.amazonaws.com", "lambda:InvokeFunction"
    assert policy_allows(json.dumps(policy), action=action, service=service, facts=facts) is may


def test_nodes_with_a_router_reach_it_and_nobody_else(tenants: Template) -> None:
    described = tenants.of_type("AWS::EC2::SecurityGroup").items()
    groups = {f"<{name}.GroupId>": each for name, each in described}
    own = next(name for name, each in groups.items() if each["GroupDescription"] == "The load balancer of the locator")
    assert "SecurityGroupIngress" not in groups[own]
    assert [each["CidrIp"] for each in groups[own]["SecurityGroupEgress"]] == ["255.255.255.255/32"]  # nowhere
    rules = [each for each in tenants.of_type("AWS::EC2::SecurityGroupIngress").values() if each["GroupId"] == own]
    (rule,) = rules
    assert groups[rule["SourceSecurityGroupId"]]["GroupDescription"] == "Nodes with a router"
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", LOCATOR_PORT, LOCATOR_PORT)
    balancer = tenants.one("AWS::ElasticLoadBalancingV2::LoadBalancer", Name="demo-locator")
    assert balancer["SecurityGroups"] == [own]


def test_it_reads_where_a_container_is_and_may_nothing_else(tenants: Template) -> None:
    table = f"<{tenants.name_of('AWS::DynamoDB::Table', TableName='demo-state')}.Arn>"
    statement = statement_of(tenants)
    assert (statement.actions, statement.resources) == (("dynamodb:GetItem",), (table,))
    (of_containers,) = statement.conditions["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    assert of_containers.endswith("#*")
    assert container_key(ContainerName("web"))["pk"]["S"].startswith(of_containers[:-1])
    assert statement.conditions["ForAllValues:StringEquals"] == {"dynamodb:Attributes": ["pk", "sk", "node"]}
    assert statement.conditions["StringEqualsIfExists"] == {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}


def test_with_a_key_of_the_fleets_own_it_may_open_the_table_and_write_nothing(tmp_path: Path) -> None:
    template = synthesised(settings_of("tenant", key=KEY), tmp_path)
    role = template.role_of_function("demo-locator")
    (statement,) = (each for each in template.statements_of(role) if each.resources == (KEY,))
    assert statement.actions == ("kms:Decrypt", "kms:DescribeKey")
    assert statement.conditions == {"StringEquals": {"kms:ViaService": ["dynamodb.eu-central-1.amazonaws.com"]}}


def test_it_is_small_outside_the_vpc_and_starts_from_a_snapshot(tenants: Template) -> None:
    function = tenants.one("AWS::Lambda::Function", FunctionName="demo-locator")
    assert "VpcConfig" not in function
    assert (function["MemorySize"], function["Timeout"]) == (256, 5)
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert function["Environment"]["Variables"].keys() == {"SWARMKEEPER_TABLE", "POWERTOOLS_SERVICE_NAME"}


def test_a_look_leaves_no_line_in_its_log(tenants: Template) -> None:
    function = tenants.one("AWS::Lambda::Function", FunctionName="demo-locator")
    told = function["LoggingConfig"]
    assert (told["LogFormat"], told["SystemLogLevel"]) == ("JSON", "WARN")
    assert tenants.one("AWS::Logs::LogGroup", LogGroupName="/aws/lambda/demo-locator")["RetentionInDays"] == 30


def test_who_runs_the_fleet_is_told_when_it_fails_for_minutes(tenants: Template) -> None:
    alarm = tenants.one("AWS::CloudWatch::Alarm", AlarmName="demo-locator-errors")
    function = tenants.name_of("AWS::Lambda::Function", FunctionName="demo-locator")
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Period"]) == ("AWS/Lambda", "Errors", 60)
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": f"<{function}>"}]
    assert (alarm["EvaluationPeriods"], alarm["Threshold"], alarm["TreatMissingData"]) == (3, 0, "notBreaching")
    assert alarm["AlarmActions"] == [f"<{tenants.name_of('AWS::SNS::Topic', TopicName='demo-operators')}>"]


def test_nothing_waits_for_its_failures_but_the_dashboard_shows_them(tenants: Template) -> None:
    functions = {each["FunctionName"] for each in tenants.of_type("AWS::Lambda::EventInvokeConfig").values()}
    assert f"<{tenants.name_of('AWS::Lambda::Function', FunctionName='demo-locator')}>" not in functions
    assert not [each for each in tenants.of_type("AWS::SQS::Queue").values() if "locator" in each["QueueName"]]
    name = tenants.name_of("AWS::Lambda::Function", FunctionName="demo-locator")
    assert f"<{name}>" in tenants.one("AWS::CloudWatch::Dashboard")["DashboardBody"]


@pytest.mark.parametrize(("isolation", "has_locator"), [("tenant", True), ("fleet", False)])
def test_documents_are_told_where_to_ask(
    isolation: str, has_locator: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All constants, whether a document's script uses them or not."""
    told: dict[str, str] = {}
    monkeypatch.setattr(
        "infra.documents.script_lines", lambda script, given: told.update(given) or script_lines(script, given)
    )
    app = App(outdir=str(tmp_path), analytics_reporting=False)
    stack = FleetStack(app, settings_of(isolation))
    app.synth()
    name, _, port = told["LOCATOR"].partition(":") if not has_locator else told["LOCATOR"].rpartition(":")
    assert bool(name) is has_locator
    assert port == (str(LOCATOR_PORT) if has_locator else "")
    assert "DNSName" in str(stack.resolve(name)) or not has_locator
    assert told["RESOLVER"] == "10.42.0.2"


def test_the_first_instance_meets_it(tenants: Template) -> None:
    group = tenants.name_of("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName="demo-workers")
    listener = tenants.name_of("AWS::ElasticLoadBalancingV2::Listener", Port=LOCATOR_PORT)
    assert listener in tenants.waits_for(group)


def test_its_zip_has_neither_pydantic_nor_what_calls_engines_or_decides() -> None:
    code = bundle.function_code("locator")
    packages = {path.relative_to(code).as_posix() for path in code.rglob("*.py")}
    assert {each for each in packages if each.startswith("swarmkeeper/edge/")} == {
        "swarmkeeper/edge/__init__.py",
        "swarmkeeper/edge/container_names.py",
    }
    assert not [each for each in packages if "/services/" in each or "/engine/" in each or "/placement/" in each]


def test_cfn_lint_and_cdk_nag_find_nothing(tmp_path: Path) -> None:
    stack, findings = found_in(settings_of("tenant"), tmp_path, acknowledging=True)
    assert findings == set()
    matches = [match for match in lint_file(tmp_path / stack.template_file) if match.rule.id not in CDKS_OWN]
    assert [f"{match.rule.id} {match.path_string}: {match.message}" for match in matches] == []
