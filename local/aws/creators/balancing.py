"""Load balancers, their listeners and target groups."""

from __future__ import annotations

from collections.abc import Mapping

from local.aws.balancers import PRINCIPAL
from local.aws.creators.context import Creator, Stack
from local.aws.creators.simple import Simple
from local.aws.intrinsics import Physical
from local.aws.permissions import NotAllowedError, check_may_invoke
from local.aws.properties import Properties

_TARGET_GROUP = Simple(
    "elbv2",
    "create_target_group",
    "out.TargetGroups[0].TargetGroupArn",
    {
        "TargetGroupArn": "out.TargetGroups[0].TargetGroupArn",
        "TargetGroupName": "out.TargetGroups[0].TargetGroupName",
    },
    name="Name",
    name_limit=32,
    then=("TargetGroupAttributes", "modify_target_group_attributes"),
)
_LOAD_BALANCER = Simple(
    "elbv2",
    "create_load_balancer",
    "out.LoadBalancers[0].LoadBalancerArn",
    {
        "DNSName": "out.LoadBalancers[0].DNSName",
        "CanonicalHostedZoneID": "out.LoadBalancers[0].CanonicalHostedZoneId",
        "LoadBalancerArn": "out.LoadBalancers[0].LoadBalancerArn",
        "LoadBalancerName": "out.LoadBalancers[0].LoadBalancerName",
        "SecurityGroups": "out.LoadBalancers[0].SecurityGroups",
    },
    name="Name",
    name_limit=32,
    then=("LoadBalancerAttributes", "modify_load_balancer_attributes"),
)


def target_group(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::ElasticLoadBalancingV2::TargetGroup, with the targets that the template names.

    A function becomes one only where its policy lets the group call it by then, as on AWS. Raises ValueError.
    """
    targets = properties.take("Targets", [])
    calls_functions = properties.take("TargetType") == "lambda"
    made = _TARGET_GROUP.create(stack, logical_id, properties)
    for target in targets if calls_functions else ():
        try:
            check_may_invoke(stack.server, str(target["Id"]), PRINCIPAL, made.ref)
        except NotAllowedError as error:
            raise ValueError(str(error)) from error
    if targets:
        stack.client("elbv2").register_targets(TargetGroupArn=made.ref, Targets=targets)
    return made


BALANCING: Mapping[str, Creator] = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _LOAD_BALANCER.create,
    "AWS::ElasticLoadBalancingV2::TargetGroup": target_group,
    "AWS::ElasticLoadBalancingV2::Listener": Simple(
        "elbv2", "create_listener", "out.Listeners[0].ListenerArn", {"ListenerArn": "out.Listeners[0].ListenerArn"}
    ).create,
    "AWS::ElasticLoadBalancingV2::ListenerRule": Simple(
        "elbv2", "create_rule", "out.Rules[0].RuleArn", {"RuleArn": "out.Rules[0].RuleArn"}
    ).create,
}
