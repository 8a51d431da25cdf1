"""boto3's clients, built once for an execution environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config

from swarmkeeper import __version__

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
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


@dataclass(frozen=True, slots=True)
class AwsClients:
    """One client a service. Region, credentials and a local endpoint come from AWS's usual environment."""

    autoscaling: AutoScalingClient
    dynamodb: DynamoDBClient
    ec2: EC2Client
    events: EventBridgeClient
    secretsmanager: SecretsManagerClient
    ssm: SSMClient

    @classmethod
    def from_session(cls, session: boto3.session.Session) -> Self:
        settings = config()
        return cls(
            autoscaling=session.client("autoscaling", config=settings),
            dynamodb=session.client("dynamodb", config=settings),
            ec2=session.client("ec2", config=settings),
            events=session.client("events", config=settings),
            secretsmanager=session.client("secretsmanager", config=settings),
            ssm=session.client("ssm", config=settings),
        )
