"""Where the functions find the validated settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.errors import aws_errors

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


def read_settings_text(client: SSMClient, parameter: str) -> str:
    """The parameter's value: swarmkeeper.yaml as JSON."""
    with aws_errors():
        return client.get_parameter(Name=parameter)["Parameter"]["Value"]
