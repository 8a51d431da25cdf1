"""AWS's clients, built once for an execution environment."""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING, cast

from botocore.client import BaseClient
from botocore.config import Config
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from swarmkeeper import __version__

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 5.0
ATTEMPTS = 4
"""A call ends, one way or the other, well inside the functions' time-outs."""


def config() -> Config:
    """Short time-outs and standard retries; the user agent lets AWS's logs tell our calls apart."""
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        user_agent_extra=f"swarmkeeper/{__version__}",
    )


@cache
def descriptions() -> Loader:
    """The services' descriptions as they were read, for every client of this process: they never change."""
    return create_loader()


def new_session() -> Session:
    """A session with credentials of its own; its clients' descriptions are read once for all sessions."""
    session = Session()
    session.register_component("data_loader", descriptions())
    return session


class AwsClients:
    """One client a service, made when it is first asked for: each has a description to read, EC2's of 4 MB.

    They are boto3's clients without boto3, whose layer of resources and transfers no function uses. Region,
    credentials and a local endpoint come from AWS's usual environment.
    """

    def __init__(self, session: Session | None = None) -> None:
        self._session = session or new_session()
        self._config = config()

    @cached_property
    def autoscaling(self) -> AutoScalingClient:
        return cast("AutoScalingClient", self._client("autoscaling"))

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        return cast("CloudWatchClient", self._client("cloudwatch"))

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", self._client("dynamodb"))

    @cached_property
    def ec2(self) -> EC2Client:
        return cast("EC2Client", self._client("ec2"))

    @cached_property
    def elbv2(self) -> ElasticLoadBalancingv2Client:
        return cast("ElasticLoadBalancingv2Client", self._client("elbv2"))

    @cached_property
    def events(self) -> EventBridgeClient:
        return cast("EventBridgeClient", self._client("events"))

    @cached_property
    def secretsmanager(self) -> SecretsManagerClient:
        return cast("SecretsManagerClient", self._client("secretsmanager"))

    @cached_property
    def sqs(self) -> SQSClient:
        return cast("SQSClient", self._client("sqs"))

    @cached_property
    def ssm(self) -> SSMClient:
        return cast("SSMClient", self._client("ssm"))

    def _client(self, service: str) -> BaseClient:
        return self._session.create_client(service, config=self._config)
