"""What a node itself may do: be run commands on, read its join token, fetch what it runs, tell what ended on it."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.names import Names
from infra.permissions import allow
from swarmkeeper.domain.model import Role
from swarmkeeper.edge.settings_monitoring import MonitoringSettings
from swarmkeeper.ports import Event

AGENT_CHANNELS = (
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
"""The agent's message channels; AWS can't narrow them to resources."""
NODES_NAMESPACE = "CWAgent"
"""Where CloudWatch's own agent tells of machines, and where `tracking` looks for `memory_used`."""
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def node_role(scope: Construct, names: Names, role: Role, projects_arn: str, *, logs_in: bool) -> iam.Role:
    """The role of a pool's instances.

    AWS's AmazonSSMManagedInstanceCore is not used: it lets a node read every parameter of the account, the
    managers' join token among them. `logs_in`: whether the fleet has a registry of its own.
    """
    stack = Stack.of(scope)
    grantee = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    allow(grantee, AGENT_CHANNELS, ["*"])
    instances = stack.format_arn(service="ec2", resource="instance", resource_name="*")
    allow(grantee, ["ssm:UpdateInstanceInformation"], [instances])
    allow(grantee, ["ssm:GetParameter"], [names.parameter_arn(stack, names.join_token(role.value))])
    allow(grantee, ["s3:GetObject"], [projects_arn])
    if logs_in:
        told = [names.parameter_arn(stack, f"{names.registry_parameters}/{name}") for name in ("ca", "pull")]
        allow(grantee, ["ssm:GetParameters"], told)
    _tell_what_ended(grantee, names, stack)
    allow(grantee, ["ecr:GetAuthorizationToken"], ["*"])
    allow(grantee, PULL, [stack.format_arn(service="ecr", resource="repository", resource_name="*")])
    return grantee


def let_measure(grantee: iam.Role, names: Names, monitoring: MonitoringSettings) -> None:
    """What Telegraf on the node needs, where there is one: metrics of one namespace, and the password for InfluxDB.

    A node can tell lies there about its whole pool; what follows from them is bounded by the pool's limits.
    """
    if monitoring.telegraf is None:
        return
    allow(grantee, ["cloudwatch:PutMetricData"], ["*"], {"StringEquals": {"cloudwatch:namespace": NODES_NAMESPACE}})
    if monitoring.influxdb is not None:
        password = names.parameter_arn(Stack.of(grantee), names.influxdb_password)
        allow(grantee, ["ssm:GetParameter"], [password])


def _tell_what_ended(grantee: iam.Role, names: Names, stack: Stack) -> None:
    """One kind of event from the nodes' own source, and nothing that another could have said."""
    allow(
        grantee,
        ["events:PutEvents"],
        [stack.format_arn(service="events", resource="event-bus", resource_name="default")],
        {
            "StringEquals": {
                "events:source": names.node_event_source,
                "events:detail-type": Event.CONTAINER_ENDED.value,
            }
        },
    )
