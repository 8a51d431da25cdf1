"""How each type of resource is made through the emulated APIs."""

from __future__ import annotations

from collections.abc import Mapping

from local.aws.creators.apis import APIS
from local.aws.creators.balancing import BALANCING
from local.aws.creators.compute import COMPUTE
from local.aws.creators.context import Creator
from local.aws.creators.custom import CUSTOM
from local.aws.creators.identity import IDENTITY
from local.aws.creators.lambdas import LAMBDAS
from local.aws.creators.messaging import MESSAGING
from local.aws.creators.network import NETWORK
from local.aws.creators.providers import provided
from local.aws.creators.simple import SIMPLE
from local.aws.creators.storage import STORAGE

CREATORS: Mapping[str, Creator] = {
    **SIMPLE,
    **NETWORK,
    **IDENTITY,
    **STORAGE,
    **MESSAGING,
    **LAMBDAS,
    **COMPUTE,
    **CUSTOM,
    **APIS,
    **BALANCING,
}


def creator_of(resource_type: str) -> Creator | None:
    """What makes resources of a type; None when nobody does. Custom resources are made by their own function."""
    is_custom = resource_type.startswith("Custom::") or resource_type == "AWS::CloudFormation::CustomResource"
    return CREATORS.get(resource_type) or (provided if is_custom else None)
