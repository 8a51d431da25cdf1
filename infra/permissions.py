"""What each function may do, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from infra.names import FLEET_TAG, LOCATOR, SAVE, Names
from infra.state import FleetState
from swarmkeeper.adapters.aws.items import CONTAINER

TABLE_ACTIONS = (
    "dynamodb:BatchGetItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
"""What each function does with the fleet's table."""
FORGETTING = ("dynamodb:DeleteItem",)
"""Of those that end containers, and what is kept beside them."""
LISTING = ("dynamodb:Scan",)
"""Page by page, for users' lists of all containers."""
TYPES_LOOK = ("ec2:DescribeInstanceTypes",)
"""What a new node of a pool could hold. Reading that AWS can't narrow to single resources; so are those below."""
GROUPS_LOOK = ("autoscaling:DescribeAutoScalingGroups", *TYPES_LOOK)
NODES_LOOK = (*GROUPS_LOOK, "ec2:DescribeInstances")
COMMAND_LOOK = ("ssm:GetCommandInvocation",)
SCALING_LOOK = (
    "autoscaling:DescribeInstanceRefreshes",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "ec2:DescribeLaunchTemplateVersions",
)


class Grants:
    """Gives the functions what their part of the work needs."""

    def __init__(self, stack: Stack, names: Names, state: FleetState, pools: Sequence[str], routers: str) -> None:
        self._stack = stack
        self._routers = routers
        self._names = names
        self._state = state
        self._groups = [names.group_arn(stack, pool) for pool in pools]

    def give(self, functions: dict[str, lambda_.Function]) -> None:
        """Every function's permissions."""
        for name, function in functions.items():
            if name == LOCATOR:
                self._locator(function)
                continue
            self._everyone(function)
            if name in self._state.clients:
                self._read_secret(function, f"client/{name}")
        self._placement(functions["placement"])
        self._scaler(functions["scaler"])
        self._registrar(functions["registrar"])
        self._reconciler(functions["reconciler"])

    def _everyone(self, function: lambda_.Function) -> None:
        table = self._state.table.table_arn
        allow(function, TABLE_ACTIONS, [table])
        allow(function, ["dynamodb:Query"], [f"{table}/index/*"])
        allow(function, ["ssm:GetParameter"], [self._parameter(self._names.settings_parameter)])
        # Anyone who may put events on the default bus could pretend to be another; the source is ours alone.
        allow(
            function,
            ["events:PutEvents"],
            [self._stack.format_arn(service="events", resource="event-bus", resource_name="default")],
            {"StringEquals": {"events:source": self._names.event_source}},
        )

    def _locator(self, function: lambda_.Function) -> None:
        """Which node a container is on, and nothing else of its record: that holds a tenant's environment too.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
        """
        allow(
            function,
            ["dynamodb:GetItem"],
            [self._state.table.table_arn],
            {
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{CONTAINER}*"]},
                "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "node"]},
                "StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
            },
        )

    def _placement(self, function: lambda_.Function) -> None:
        allow(function, TYPES_LOOK, ["*"])
        allow(function, [*FORGETTING, *LISTING], [self._state.table.table_arn])
        allow(function, ["dynamodb:GetItem", "dynamodb:Query"], [self._state.history.table_arn])
        self._send_commands(function, ["node-pull"])

    def _reconciler(self, function: lambda_.Function) -> None:
        allow(function, NODES_LOOK, ["*"])
        allow(function, FORGETTING, [self._state.table.table_arn])

    def _scaler(self, function: lambda_.Function) -> None:
        allow(function, [*GROUPS_LOOK, *SCALING_LOOK], ["*"])
        alarms = self._stack.format_arn(
            service="cloudwatch", resource="alarm", arn_format=ArnFormat.COLON_RESOURCE_NAME, resource_name="*"
        )
        allow(function, ["cloudwatch:ListTagsForResource"], [alarms])
        allow(function, ["dynamodb:PutItem"], [self._state.history.table_arn])
        allow(function, ["autoscaling:SetDesiredCapacity"], self._groups)

    def _registrar(self, function: lambda_.Function) -> None:
        lifecycle = [
            "autoscaling:CompleteLifecycleAction",
            "autoscaling:RecordLifecycleActionHeartbeat",
            "autoscaling:TerminateInstanceInAutoScalingGroup",
        ]
        allow(function, [*NODES_LOOK, "autoscaling:DescribeAutoScalingInstances"], ["*"])
        allow(function, FORGETTING, [self._state.table.table_arn])
        allow(function, lifecycle, self._groups)
        routes = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]
        allow(function, routes, [self._routers])
        self._send_commands(function, ["node-csr", "node-join", "node-leave", "node-pull", SAVE])
        tokens = [self._parameter(self._names.join_token(role)) for role in ("worker", "manager")]
        allow(function, ["ssm:PutParameter"], tokens)
        # It makes the authority and signs the functions' own certificates.
        for name in ("ca", *(f"client/{client}" for client in self._state.clients)):
            self._read_secret(function, name)
            allow(function, ["secretsmanager:PutSecretValue"], [self._secret(name)])

    def _send_commands(self, function: lambda_.Function, documents: Sequence[str]) -> None:
        allow(
            function,
            ["ssm:SendCommand"],
            [self._names.document_arn(self._stack, name) for name in self._names.documents(*documents)],
        )
        allow(function, COMMAND_LOOK, ["*"])
        # The instances are born later; their tag says whose they are.
        allow(
            function,
            ["ssm:SendCommand"],
            [self._stack.format_arn(service="ec2", resource="instance", resource_name="*")],
            {"StringEquals": {f"ssm:resourceTag/{FLEET_TAG}": self._names.fleet}},
        )

    def _read_secret(self, function: lambda_.Function, name: str) -> None:
        allow(function, ["secretsmanager:GetSecretValue"], [self._secret(name)])

    def _secret(self, name: str) -> str:
        secret = self._state.authority if name == "ca" else self._state.clients[name.removeprefix("client/")]
        return secret.ref

    def _parameter(self, name: str) -> str:
        return self._names.parameter_arn(self._stack, name)


def allow(
    grantee: iam.IGrantable,
    actions: Sequence[str],
    resources: Sequence[str],
    conditions: Mapping[str, Mapping[str, str | list[str]]] | None = None,
) -> None:
    """Add one statement to the grantee's policy."""
    grantee.grant_principal.add_to_principal_policy(
        iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions)
    )
