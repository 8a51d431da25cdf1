"""Roles, policies, instance profiles and secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy

from local.aws.creators.context import Creator, Stack
from local.aws.intrinsics import Physical
from local.aws.properties import Properties


def role(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::IAM::Role."""
    iam = stack.client("iam")
    name = stack.physical_name(logical_id, properties.take("RoleName"))
    trust = properties.take_json("AssumeRolePolicyDocument")
    made = iam.create_role(**properties.for_api(iam, "create_role", RoleName=name, AssumeRolePolicyDocument=trust))[
        "Role"
    ]
    for arn in properties.take("ManagedPolicyArns", []):
        provide_managed_policy(stack, arn)
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    for policy_of_role in properties.take("Policies", []):
        iam.put_role_policy(
            RoleName=name,
            PolicyName=policy_of_role["PolicyName"],
            PolicyDocument=json.dumps(policy_of_role["PolicyDocument"]),
        )
    return Physical(name, {"Arn": made["Arn"], "RoleId": made["RoleId"]})


def policy(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::IAM::Policy: a policy inside each of its roles."""
    iam = stack.client("iam")
    name = str(properties.take("PolicyName"))
    document = properties.take_json("PolicyDocument")
    for role_name in properties.take("Roles", []):
        iam.put_role_policy(RoleName=role_name, PolicyName=name, PolicyDocument=document)
    return Physical(name, {"Id": name})


def managed_policy(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::IAM::ManagedPolicy."""
    iam = stack.client("iam")
    name = stack.physical_name(logical_id, properties.take("ManagedPolicyName"), 128)
    document = properties.take_json("PolicyDocument")
    parameters = properties.for_api(iam, "create_policy", PolicyName=name, PolicyDocument=document)
    arn = str(iam.create_policy(**parameters)["Policy"]["Arn"])
    for role_name in properties.take("Roles", []):
        iam.attach_role_policy(RoleName=role_name, PolicyArn=arn)
    return Physical(arn, {"PolicyArn": arn})


def instance_profile(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::IAM::InstanceProfile."""
    iam = stack.client("iam")
    name = stack.physical_name(logical_id, properties.take("InstanceProfileName"), 128)
    parameters = properties.for_api(iam, "create_instance_profile", InstanceProfileName=name)
    made = iam.create_instance_profile(**parameters)["InstanceProfile"]
    for role_name in properties.take("Roles", []):
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role_name)
    return Physical(name, {"Arn": made["Arn"]})


def secret(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::SecretsManager::Secret; it has no value unless the template gives one or has one generated."""
    client = stack.client("secretsmanager")
    name = stack.physical_name(logical_id, properties.take("Name"), 255)
    given = {"Name": name}
    if "GenerateSecretString" in properties:
        given["SecretString"] = _generated(client, properties.take("GenerateSecretString"))
    arn = str(client.create_secret(**properties.for_api(client, "create_secret", **given))["ARN"])
    return Physical(arn, {"Id": arn})


def _generated(client: Any, wanted: Mapping[str, Any]) -> str:
    template, key = wanted.get("SecretStringTemplate"), wanted.get("GenerateStringKey")
    options = {name: value for name, value in wanted.items() if not name.endswith(("Template", "StringKey"))}
    password = str(client.get_random_password(**options)["RandomPassword"])
    return json.dumps(json.loads(template) | {key: password}) if template and key else password


def provide_managed_policy(stack: Stack, arn: str) -> None:
    """Let moto have a policy that AWS manages; all of them at once would cost seconds at every start."""
    backend: Any = stack.server.backend("iam")
    name = arn.rpartition("/")[2]
    if not arn.startswith("arn:aws:iam::aws:policy/") or arn in backend.managed_policies:
        return
    data = _managed_by_aws().get(name)
    if data is not None:
        backend.managed_policies[arn] = AWSManagedPolicy.from_data(
            name, stack.server.account, stack.server.region, data
        )


@cache
def _managed_by_aws() -> Mapping[str, Any]:
    loaded: dict[str, Any] = json.loads(aws_managed_policies_data)
    return loaded


IDENTITY: Mapping[str, Creator] = {
    "AWS::IAM::Role": role,
    "AWS::IAM::Policy": policy,
    "AWS::IAM::ManagedPolicy": managed_policy,
    "AWS::IAM::InstanceProfile": instance_profile,
    "AWS::SecretsManager::Secret": secret,
}
