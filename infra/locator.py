"""How routers ask the locator: a load balancer inside the VPC, whose one target is the function.

Nginx can't sign a request, so it could not call the function itself. This address takes requests of nodes with a
router only.
"""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.names import LOCATOR, Names
from infra.network import FleetNetwork

LOCATOR_PORT = 8081
BALANCERS = "elasticloadbalancing.amazonaws.com"


class FleetLocator(Construct):
    """`address` is where routers ask, host and port."""

    def __init__(self, scope: Construct, names: Names, network: FleetNetwork, function: lambda_.Alias) -> None:
        super().__init__(scope, "Locator")
        self._names = names
        balancer = elbv2.ApplicationLoadBalancer(
            self,
            "LoadBalancer",
            load_balancer_name=names.of(LOCATOR),
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=network.private),
            internet_facing=False,
            security_group=self._group(network),
            drop_invalid_header_fields=True,
        )
        elbv2.CfnListener(
            self,
            "Http",
            load_balancer_arn=balancer.load_balancer_arn,
            port=LOCATOR_PORT,
            protocol="HTTP",
            default_actions=[
                elbv2.CfnListener.ActionProperty(type="forward", target_group_arn=self._target(function).ref)
            ],
        )
        self.address = f"{balancer.load_balancer_dns_name}:{LOCATOR_PORT}"

    def _group(self, network: FleetNetwork) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self, "Group", vpc=network.vpc, description="The load balancer of the locator", allow_all_outbound=False
        )
        group.connections.allow_from(network.workers, ec2.Port.tcp(LOCATOR_PORT), "Routers")
        return group

    def _target(self, function: lambda_.Alias) -> elbv2.CfnTargetGroup:
        """The group of the function alone: a balancer takes it only if it may call it by then.

        By the group's name, since its ARN is known only when the group, with its target, is there.
        """
        group = Stack.of(self).format_arn(
            service="elasticloadbalancing", resource="targetgroup", resource_name=f"{self._names.of(LOCATOR)}/*"
        )
        function.add_permission("InvokedByItsBalancer", principal=iam.ServicePrincipal(BALANCERS), source_arn=group)
        target = elbv2.CfnTargetGroup(
            self,
            "Function",
            name=self._names.of(LOCATOR),
            target_type="lambda",
            targets=[elbv2.CfnTargetGroup.TargetDescriptionProperty(id=function.function_arn)],
        )
        target.node.add_dependency(function)
        return target
