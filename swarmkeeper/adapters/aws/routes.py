"""The load balancer's target group in front of the nodes' routers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from swarmkeeper.adapters.aws.errors import aws_errors, code_of
from swarmkeeper.domain.model import NodeId

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

NO_TARGET = "InvalidTarget"


class TargetGroup:
    """Routes by a target group's ARN; instances are its targets, each on the group's own port."""

    def __init__(self, client: ElasticLoadBalancingv2Client, arn: str) -> None:
        self._client = client
        self._arn = arn

    def withdraw(self, node_id: NodeId) -> None:
        with aws_errors():
            try:
                self._client.deregister_targets(TargetGroupArn=self._arn, Targets=[{"Id": node_id}])
            except ClientError as error:
                if code_of(error) != NO_TARGET:  # its group has withdrawn it already
                    raise

    def restore(self, node_id: NodeId) -> None:
        with aws_errors():
            self._client.register_targets(TargetGroupArn=self._arn, Targets=[{"Id": node_id}])
