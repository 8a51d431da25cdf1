"""What cdk-nag's AwsSolutions rules find in a fleet's stack and we leave so, each with its reason.

A rule is acknowledged on the smallest construct that it speaks of. tests/infra/test_nag.py fails on a finding that
is not here, and on an entry that finds nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from constructs import IConstruct

from infra.names import Names
from infra.pools import is_mixed
from swarmkeeper.edge.settings import PoolSettings, Settings

RESOURCE = "AwsSolutions-IAM5[Resource::{}]"
ARN = "arn:<AWS::Partition>:{service}:<AWS::Region>:<AWS::AccountId>:{rest}"
MANAGED = "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/{}]"
VALIDATION = "CloudFormation-Validate::{}"
"""CDK's own check of the template, whose report leaves this out of the name."""
ITS_LOGS = "AWS's own policy of Lambda's logs"
ITS_INTERFACES = "Lambda makes network interfaces with the function's role, and refuses a role that names which ones"
READS_ONLY = "AWS knows no resources for these reads; a test sees that no write is among them"
OTHERS_AFTER = "the identifier that AWS gives a group is not known before; its name is"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A finding, by cdk-nag's name for it; `under` is the path of a construct within the stack, "" for the stack."""

    under: str
    finding: str
    reason: str


def acknowledged(names: Names, settings: Settings, table: str) -> Iterator[Acknowledged]:
    """All findings that are left; `table` is the logical id of the state's table."""
    pools = settings.pools
    yield from _functions(table)
    yield from _nodes(pools)
    instances = ARN.format(service="ec2", rest="instance/*")
    yield Acknowledged("", RESOURCE.format(instances), "instances are born later; their tag says whose they are")
    for pool in pools:
        rest = f"autoScalingGroup:*:autoScalingGroupName/{names.group(pool)}"
        yield Acknowledged("", RESOURCE.format(ARN.format(service="autoscaling", rest=rest)), OTHERS_AFTER)
    yield Acknowledged("", "AwsSolutions-L1", "3.13 is the version that layer and functions are built and tested for")
    balancer = "Network/Entry/LoadBalancer"
    yield Acknowledged(
        balancer,
        "AwsSolutions-ELB2",
        "the nodes' routers log requests already; a second log, kept in S3, is its owners' to decide on",
    )
    if settings.network.isolation == "tenant":
        reason = "routers' questions are no users' requests; a million lines would tell that a million were asked"
        yield Acknowledged("Locator/LoadBalancer", "AwsSolutions-ELB2", reason)
    reason = "what may reach the balancer is the VPC's own range, which the rule can't read from the template"
    if settings.network.entry.public:
        reason = "users come from the internet, with TLS; plain requests are only told where to go"
    yield Acknowledged("Network/Balancer", "AwsSolutions-EC23", reason)
    yield Acknowledged(
        "State/History", "AwsSolutions-DDB3", "past decisions, kept for 30 days: nothing depends on them"
    )
    for secret in ("Ca", "ClientPlacement", "ClientRegistrar", "ClientReconciler"):
        reason = "the registrar makes and renews these; Secrets Manager could not sign a certificate"
        yield Acknowledged(f"State/{secret}", "AwsSolutions-SMG4", reason)


def _functions(table: str) -> Iterator[Acknowledged]:
    for under in ("Functions", "Suspend"):
        yield Acknowledged(under, MANAGED.format("AWSLambdaBasicExecutionRole"), ITS_LOGS)
        yield Acknowledged(under, RESOURCE.format("*"), READS_ONLY)
    yield Acknowledged("Functions", MANAGED.format("AWSLambdaVPCAccessExecutionRole"), ITS_INTERFACES)
    yield Acknowledged("Functions", RESOURCE.format(f"<{table}.Arn>/index/*"), "the two indexes of the fleet's table")
    alarms = ARN.format(service="cloudwatch", rest="alarm:*")
    reason = "which alarms are the fleet's is told by their tags, which must be read first"
    yield Acknowledged("Functions/scaler", RESOURCE.format(alarms), reason)
    reason = (
        "a subscription takes an alias too: https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html"
    )
    yield Acknowledged("Functions/scaler-live/Alarms", VALIDATION.format("W3694"), reason)
    for name in ("placement", "reconciler"):
        reason = "it is a dead-letter queue, as the destination of failed invocations, which the rule doesn't know"
        yield Acknowledged(f"Functions/{name}-dlq", "AwsSolutions-SQS3", reason)


def _nodes(pools: Mapping[str, PoolSettings]) -> Iterator[Acknowledged]:
    repositories = ARN.format(service="ecr", rest="repository/*")
    for pool, settings in pools.items():
        under = f"Pool-{pool}"
        reason = "the agent's message channels and the registry's log-in, for which AWS knows no resources"
        yield Acknowledged(under, RESOURCE.format("*"), reason)
        yield Acknowledged(under, RESOURCE.format(repositories), "tenants' images stand in repositories of their own")
        yield Acknowledged(under, "AwsSolutions-AS3", "launches and ends are told by EventBridge, launch failures too")
        if is_mixed(settings):
            reason = "its launch template encrypts, which the rule doesn't see behind a policy of mixed instances"
            yield Acknowledged(f"{under}/Group", "AwsSolutions-EC26", reason)


def acknowledge(stack: Stack, findings: Iterator[Acknowledged]) -> None:
    """Write the reasons into the constructs that the stack has, for cdk-nag in whatever pipeline deploys them."""
    for each in findings:
        construct: IConstruct | None = stack
        for name in filter(None, each.under.split("/")):
            construct = construct and construct.node.try_find_child(name)
        if construct is not None:
            Validations.of(construct).acknowledge(Acknowledgment(id=each.finding, reason=each.reason))


def logical_id(stack: Stack, construct: IConstruct) -> str:
    """The name that the construct's resource has in the template."""
    resource = construct.node.default_child
    assert isinstance(resource, CfnResource)  # noqa: S101  what CDK makes for every such construct
    return str(stack.resolve(resource.logical_id))
