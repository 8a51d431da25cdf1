"""Who may do what."""

from __future__ import annotations

import pytest

from tests.infra.template import Statement, Template

PARAMETER = "arn:aws:ssm:eu-central-1:123456789012:parameter"
GROUP = "arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:any-uuid:autoScalingGroupName"
READING = ("Describe", "Get", "List", "BatchGet", "Query", "Scan")
UNSCOPED = (  # AWS knows no resources for them
    "ecr:GetAuthorizationToken", "ec2messages:", "ssmmessages:",
)  # fmt: skip
SECRETS = ("demo/ca", "demo/client/placement", "demo/client/registrar", "demo/client/reconciler")
FUNCTIONS = ("placement", "scaler", "registrar", "reconciler")


def secret(template: Template, name: str) -> str:
    return f"<{template.name_of('AWS::SecretsManager::Secret', Name=name)}>"


@pytest.mark.parametrize("role", ["worker", "manager"])
@pytest.mark.parametrize("token", ["worker", "manager"])
def test_a_node_reads_the_token_of_its_own_role_only(template: Template, role: str, token: str) -> None:
    node = template.role_of_pool(f"demo-{role}s")
    assert template.may(node, "ssm:GetParameter", f"{PARAMETER}/demo/join-token/{token}") == (role == token)


@pytest.mark.parametrize("pool", ["demo-workers", "demo-managers"])
def test_a_node_reads_no_secret_no_setting_and_changes_no_group(template: Template, pool: str) -> None:
    node = template.role_of_pool(pool)
    assert not any(template.may(node, "secretsmanager:GetSecretValue", secret(template, name)) for name in SECRETS)
    assert not template.may(node, "ssm:GetParameter", f"{PARAMETER}/demo/settings")
    assert not template.may(node, "autoscaling:CompleteLifecycleAction", f"{GROUP}/{pool}")
    assert not template.may(node, "ssm:SendCommand", "arn:aws:ec2:eu-central-1:123456789012:instance/i-0")
    assert "ManagedPolicyArns" not in template.of_type("AWS::IAM::Role")[node]


@pytest.mark.parametrize("pool", ["demo-workers", "demo-managers"])
def test_a_node_fetches_the_compose_projects_and_no_other_file(template: Template, pool: str) -> None:
    node = template.role_of_pool(pool)
    allowed = [each for each in template.statements_of(node) if any(name.startswith("s3:") for name in each.actions)]
    (resource,) = (resource for each in allowed for resource in each.resources)
    assert resource.endswith(".gz")
    assert "*" not in resource


def test_only_the_registrar_reads_the_authority(template: Template) -> None:
    ca = secret(template, "demo/ca")
    readers = [role for role in template.roles() if template.may(role, "secretsmanager:GetSecretValue", ca)]
    assert readers == [template.role_of_function("demo-registrar")]


@pytest.mark.parametrize("function", ["placement", "reconciler"])
def test_a_function_reads_its_own_client_certificate_only(template: Template, function: str) -> None:
    role = template.role_of_function(f"demo-{function}")
    readable = [n for n in SECRETS if template.may(role, "secretsmanager:GetSecretValue", secret(template, n))]
    assert readable == [f"demo/client/{function}"]
    assert not any(template.may(role, "secretsmanager:PutSecretValue", secret(template, name)) for name in SECRETS)


def test_the_scaler_reads_no_secret(template: Template) -> None:
    role = template.role_of_function("demo-scaler")
    assert not any(template.may(role, "secretsmanager:GetSecretValue", secret(template, name)) for name in SECRETS)


@pytest.mark.parametrize(
    ("action", "holders"),
    [
        ("autoscaling:SetDesiredCapacity", {"scaler"}),
        ("autoscaling:TerminateInstanceInAutoScalingGroup", {"registrar"}),
        ("autoscaling:CompleteLifecycleAction", {"registrar"}),
    ],
)
def test_a_group_is_changed_by_one_function_only(template: Template, action: str, holders: set[str]) -> None:
    roles = {name: template.role_of_function(f"demo-{name}") for name in FUNCTIONS}
    assert {name for name, role in roles.items() if template.may(role, action, f"{GROUP}/demo-workers")} == holders
    assert not any(template.may(role, action, f"{GROUP}/someone-elses") for role in template.roles())


@pytest.mark.parametrize(
    ("action", "holders"),
    [
        ("dynamodb:PutItem", {"scaler"}),
        ("dynamodb:Query", {"placement"}),
        ("dynamodb:GetItem", {"placement"}),
        ("dynamodb:DeleteItem", set()),
    ],
)
def test_decisions_are_kept_by_the_scaler_and_told_by_placement(
    template: Template, action: str, holders: set[str]
) -> None:
    table = f"<{template.name_of('AWS::DynamoDB::Table', TableName='demo-history')}.Arn>"
    roles = {name: template.role_of_function(f"demo-{name}") for name in FUNCTIONS}
    assert {name for name, role in roles.items() if template.may(role, action, table)} == holders


@pytest.mark.parametrize(
    ("action", "holders"),
    [
        ("dynamodb:Scan", {"placement"}),
        ("dynamodb:DeleteItem", {"placement", "registrar", "reconciler"}),
        ("dynamodb:UpdateItem", set(FUNCTIONS)),
        ("dynamodb:BatchWriteItem", set()),
        ("dynamodb:DeleteTable", set()),
    ],
)
def test_the_fleets_table_is_listed_by_placement_and_deleted_from_by_what_ends_containers(
    template: Template, action: str, holders: set[str]
) -> None:
    table = f"<{template.name_of('AWS::DynamoDB::Table', TableName='demo-state')}.Arn>"
    roles = {name: template.role_of_function(f"demo-{name}") for name in FUNCTIONS}
    assert {name for name, role in roles.items() if template.may(role, action, table)} == holders


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("autoscaling:DescribeInstanceRefreshes", "*"),
        ("cloudwatch:DescribeAlarms", "*"),
        ("cloudwatch:GetMetricData", "*"),
        ("ec2:DescribeLaunchTemplateVersions", "*"),
        ("cloudwatch:ListTagsForResource", "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:any"),
    ],
)
def test_the_scaler_alone_looks_at_alarms_metrics_and_refreshes(template: Template, action: str, resource: str) -> None:
    roles = {name: template.role_of_function(f"demo-{name}") for name in FUNCTIONS}
    assert {name for name, role in roles.items() if template.may(role, action, resource)} == {"scaler"}


@pytest.mark.parametrize(
    "action",
    [
        "autoscaling:DescribeAutoScalingGroups",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
    ],
)
def test_the_reconciler_looks_at_groups_and_instances_to_make_the_table_anew(template: Template, action: str) -> None:
    assert template.may(template.role_of_function("demo-reconciler"), action, "*")


def test_every_function_of_the_loop_may_look_up_what_a_new_node_could_hold(template: Template) -> None:
    roles = (template.role_of_function(f"demo-{name}") for name in FUNCTIONS)
    assert all(template.may(role, "ec2:DescribeInstanceTypes", "*") for role in roles)


@pytest.mark.parametrize("action", ["DeregisterTargets", "RegisterTargets"])
def test_the_registrar_alone_changes_where_the_balancer_sends_requests(template: Template, action: str) -> None:
    group = f"<{template.name_of('AWS::ElasticLoadBalancingV2::TargetGroup', Name='demo-routers')}>"
    roles = {name: template.role_of_function(f"demo-{name}") for name in FUNCTIONS}
    allowed = {name for name, role in roles.items() if template.may(role, f"elasticloadbalancing:{action}", group)}
    assert allowed == {"registrar"}
    other = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/other/1"
    assert not any(template.may(role, f"elasticloadbalancing:{action}", other) for role in template.roles())


def test_commands_go_to_the_fleets_own_instances_only(template: Template) -> None:
    instance = "arn:aws:ec2:eu-central-1:123456789012:instance/i-0"
    sending = [
        each for role in template.roles() for each in template.statements_of(role)
        if each.grants("ssm:SendCommand", instance)
    ]  # fmt: skip
    assert sending
    assert all(each.conditions == {"StringEquals": {"ssm:resourceTag/swarmkeeper:fleet": "demo"}} for each in sending)


def test_the_placement_function_pulls_images_but_joins_no_node(template: Template) -> None:
    role = template.role_of_function("demo-placement")
    document = "arn:aws:ssm:eu-central-1:123456789012:document/demo-"
    assert template.may(role, "ssm:SendCommand", f"{document}node-pull")
    assert not template.may(role, "ssm:SendCommand", f"{document}node-join")


def test_events_are_published_under_the_fleets_own_name_only(template: Template) -> None:
    for name in FUNCTIONS:
        (statement,) = publishing(template, template.role_of_function(f"demo-{name}"))
        assert statement.conditions == {"StringEquals": {"events:source": "swarmkeeper.demo"}}


@pytest.mark.parametrize("pool", ["demo-workers", "demo-managers"])
def test_a_node_tells_what_ended_and_can_pass_for_nobody_else(template: Template, pool: str) -> None:
    (statement,) = publishing(template, template.role_of_pool(pool))
    only = {"events:source": "swarmkeeper.demo.node", "events:detail-type": "Container Ended"}
    assert statement.conditions == {"StringEquals": only}


def publishing(template: Template, role: str) -> list[Statement]:
    return [each for each in template.statements_of(role) if "events:PutEvents" in each.actions]


def test_nothing_publishes_to_the_registrars_queue_but_the_event_bus(template: Template) -> None:
    queue = f"<{template.name_of('AWS::SQS::Queue', QueueName='demo-registrar')}.Arn>"
    assert not any(template.may(role, "sqs:SendMessage", queue) for role in template.roles())


def test_every_write_names_its_resources_or_has_a_condition(template: Template) -> None:
    for role in template.roles():
        for statement in template.statements_of(role):
            if "*" not in statement.resources or statement.conditions:
                continue
            writes = [
                action for action in statement.actions
                if not action.startswith(UNSCOPED) and not action.partition(":")[2].startswith(READING)
            ]  # fmt: skip
            assert not writes, f"{role} may {writes} on everything"


@pytest.mark.parametrize("topic", ["demo-alarms", "demo-operators"])
def test_only_this_accounts_alarms_publish_to_a_topic(template: Template, topic: str) -> None:
    name = template.name_of("AWS::SNS::Topic", TopicName=topic)
    (policy,) = (each for each in template.of_type("AWS::SNS::TopicPolicy").values() if f"<{name}>" in each["Topics"])
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    assert [each["Principal"] for each in allowed] == [{"Service": "cloudwatch.amazonaws.com"}]
    assert allowed[0]["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
