"""A key of the customer's for all that the fleet keeps: tables, queues, topics, secrets, tokens, logs and disks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_efs as efs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from infra.names import LOCATOR, Names
from infra.permissions import allow
from infra.state import CLIENTS
from swarmkeeper.domain.model import Role
from swarmkeeper.edge.settings_account import MADE

KEY_VARIABLE = "SWARMKEEPER_KEY"
USE = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")
"""As AWS's pages have it for its own services."""
FUNCTIONS_USE = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
READERS_USE = ("kms:Decrypt", "kms:DescribeKey")
"""Of a function that reads the table and writes nothing."""
DELIVERERS = ("cloudwatch.amazonaws.com", "events.amazonaws.com", "sns.amazonaws.com")
"""Alarms publish to encrypted topics; rules and subscriptions put into encrypted queues."""
AUTO_SCALING = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"


class FleetKey(Construct):
    """The key `wanted`, made here or named by its ARN, and what may use it."""

    def __init__(self, scope: Stack, names: Names, wanted: str) -> None:
        super().__init__(scope, "Encryption")
        self._stack = scope
        self._names = names
        self._arn = self._made() if wanted == MADE else wanted

    def protect(self, functions: Mapping[str, lambda_.Function], nodes: Mapping[Role, Sequence[iam.Role]]) -> None:
        """Encrypt all that the stack has by now, and let functions and nodes use what they need of it."""
        for each in self._stack.node.find_all():
            self._encrypt(each)
        for name, function in functions.items():
            through = {"StringEquals": {"kms:ViaService": self._services(name)}}
            allow(function, READERS_USE if name == LOCATOR else FUNCTIONS_USE, [self._arn], through)
        functions["registrar"].add_environment(KEY_VARIABLE, self._arn)
        for role, grantees in nodes.items():
            for grantee in grantees:
                allow(grantee, ["kms:Decrypt"], [self._arn], {"StringEquals": self._token(role)})

    def _made(self) -> str:
        """It outlives the stack as the table and the file system do: without it they could not be read any more."""
        key = kms.Key(
            self,
            "Key",
            description=f"What the fleet {self._names.fleet} keeps",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        for statement in key_statements(self._stack):
            key.add_to_resource_policy(statement)
        return key.key_arn

    def _encrypt(self, resource: IConstruct) -> None:
        match resource:
            case dynamodb.CfnTable():
                resource.sse_specification = dynamodb.CfnTable.SSESpecificationProperty(
                    sse_enabled=True, sse_type="KMS", kms_master_key_id=self._arn
                )
            case sqs.CfnQueue():
                resource.kms_master_key_id = self._arn
                resource.sqs_managed_sse_enabled = None
            case sns.CfnTopic():
                resource.kms_master_key_id = self._arn
            case secretsmanager.CfnSecret() | logs.CfnLogGroup() | efs.CfnFileSystem():
                resource.kms_key_id = self._arn
            case ec2.CfnLaunchTemplate():
                resource.add_property_override("LaunchTemplateData.BlockDeviceMappings.0.Ebs.KmsKeyId", self._arn)

    def _services(self, function: str) -> list[str]:
        """Through which services a function uses the key; none calls it itself."""
        keeps_secrets = ("secretsmanager",) if function in CLIENTS else ()
        keeps_tokens = ("ssm",) if function == "registrar" else ()
        keeps_failures = () if function == LOCATOR else ("sqs",)
        return [self._via(service) for service in ("dynamodb", *keeps_failures, *keeps_secrets, *keeps_tokens)]

    def _token(self, role: Role) -> dict[str, str]:
        """The one parameter that a node opens."""
        return {
            "kms:ViaService": self._via("ssm"),
            "kms:EncryptionContext:PARAMETER_ARN": self._names.parameter_arn(
                self._stack, self._names.join_token(role.value)
            ),
        }

    def _via(self, service: str) -> str:
        return f"{service}.{self._stack.region}.{self._stack.url_suffix}"


def key_statements(stack: Stack) -> Iterator[iam.PolicyStatement]:
    """What a key's policy must grant beside the account's own administration, which lets roles' policies count."""
    # Without a condition on the account, for CloudWatch's calls don't all carry one. The topics' and queues' own
    # policies say who publishes and sends.
    yield iam.PolicyStatement(
        sid="Deliveries",
        principals=[iam.ServicePrincipal(service) for service in DELIVERERS],
        actions=["kms:Decrypt", "kms:GenerateDataKey*"],
        resources=["*"],
    )
    groups = stack.format_arn(
        service="logs", resource="log-group", arn_format=ArnFormat.COLON_RESOURCE_NAME, resource_name="*"
    )
    yield iam.PolicyStatement(
        sid="Logs",
        principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
        actions=list(USE),
        resources=["*"],
        conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
    )
    scaling = {
        "aws:PrincipalArn": stack.format_arn(service="iam", region="", resource="role", resource_name=AUTO_SCALING)
    }
    # By condition: a policy that names a role which isn't there yet is refused, and Auto Scaling makes its role with
    # the account's first group.
    yield iam.PolicyStatement(
        sid="Disks",
        principals=[iam.AnyPrincipal()],
        actions=list(USE),
        resources=["*"],
        conditions={"ArnEquals": scaling},
    )
    yield iam.PolicyStatement(
        sid="DisksOfInstances",
        principals=[iam.AnyPrincipal()],
        actions=["kms:CreateGrant"],
        resources=["*"],
        conditions={"ArnEquals": scaling, "Bool": {"kms:GrantIsForAWSResource": "true"}},
    )
