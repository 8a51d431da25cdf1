"""Which fleet's API a command talks to, and with whose credentials."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from swarmkeeper.cli.api import Api, ApiError, Signer, over_http

if TYPE_CHECKING:
    from local.starter import Cloud

FLEET_VARIABLE = "SWARMKEEPER_FLEET"
API_VARIABLE = "SWARMKEEPER_API"
OUTPUT = "ApiUrl"
"""The stack's output that holds the address (infra/stack.py)."""
AWS_HOST = re.compile(r"https://[^/]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?(/.*)?")


def find_api(fleet: str | None = None, url: str | None = None, *, timeout_s: float = 60.0) -> Api:
    """The API at `url`, else that of the local cloud when it runs this fleet or none is named, else the fleet's on AWS.

    `SWARMKEEPER_API` and `SWARMKEEPER_FLEET` stand for what isn't given. Raises ApiError.
    """
    from local.starter import LocalCloudError, running_cloud  # here, so that AWS users pay nothing for the local cloud

    wanted, address = fleet or os.environ.get(FLEET_VARIABLE), url or os.environ.get(API_VARIABLE)
    try:
        local = running_cloud()
    except LocalCloudError as error:
        raise ApiError(str(error)) from error
    if local is not None and (address == local.api_url if address else wanted in (None, local.fleet)):
        return Api(local.api_url, over_http(_local_signer(local), timeout_s=timeout_s))
    if address is None and wanted is None:
        raise ApiError(f"no local cloud is running; name a fleet with --fleet or {FLEET_VARIABLE}, or give --api")
    found = address or _address_of(wanted or "")
    return Api(found, over_http(_own_signer(found), timeout_s=timeout_s))


def _local_signer(cloud: Cloud) -> Signer:
    from botocore.credentials import Credentials

    return Signer(Credentials(cloud.access_key_id, cloud.secret_access_key), cloud.region)


def _own_signer(url: str) -> Signer:
    """The user's credentials, for the region that the address names, else the user's."""
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.Session()
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise ApiError(f"AWS's credentials can't be used: {error}") from error
    if credentials is None:
        raise ApiError("there are no AWS credentials; see `aws configure`")
    named = AWS_HOST.fullmatch(url)
    region = named[1] if named else session.region_name
    if not region:
        raise ApiError(f"{url} names no region; set AWS_REGION")
    return Signer(credentials, region)


def _address_of(fleet: str) -> str:
    """The address that the fleet's stack tells."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    stack = f"swarmkeeper-{fleet}"
    try:
        described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        raise ApiError(f"the stack {stack} can't be described: {error}; give --api or {API_VARIABLE}") from error
    outputs = {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}
    if OUTPUT not in outputs:
        raise ApiError(f"the stack {stack} has no output {OUTPUT}; deploy it again")
    return str(outputs[OUTPUT])
