"""Tables, buckets, log groups, and the keys that encrypt them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.aws.assets import create_bucket
from local.aws.creators.context import Creator, Stack
from local.aws.intrinsics import Physical
from local.aws.properties import Properties, tag_map


def table(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::DynamoDB::Table."""
    return _table(stack, logical_id, properties, properties.take("PointInTimeRecoverySpecification"))


def global_table(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::DynamoDB::GlobalTable, with this region's replica."""
    replicas = [one for one in properties.take("Replicas", []) if one.get("Region") == stack.server.region]
    recovery = replicas[0].get("PointInTimeRecoverySpecification") if replicas else None
    return _table(stack, logical_id, properties, recovery)


def _table(stack: Stack, logical_id: str, properties: Properties, recovery: Any) -> Physical:
    dynamodb = stack.client("dynamodb")
    name = stack.physical_name(logical_id, properties.take("TableName"), 255)
    given = {"TableName": name} | _renamed(properties)
    made = dynamodb.create_table(**properties.for_api(dynamodb, "create_table", **given))["TableDescription"]
    expiry = properties.take("TimeToLiveSpecification")
    if expiry:
        dynamodb.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification=properties.shaped(
                dynamodb, "update_time_to_live", "TimeToLiveSpecification", expiry
            ),
        )
    if recovery:
        dynamodb.update_continuous_backups(
            TableName=name,
            PointInTimeRecoverySpecification=properties.shaped(
                dynamodb, "update_continuous_backups", "PointInTimeRecoverySpecification", recovery
            ),
        )
    return Physical(name, {"Arn": made["TableArn"], "StreamArn": made.get("LatestStreamArn", "")})


def _renamed(properties: Properties) -> dict[str, object]:
    """What the API of DynamoDB calls by another name than CloudFormation."""
    given: dict[str, object] = {}
    encryption = properties.take("SSESpecification")
    if encryption:
        names = {"SSEEnabled": "Enabled", "SSEType": "SSEType", "KMSMasterKeyId": "KMSMasterKeyId"}
        told = {names[name]: value for name, value in encryption.items()}
        given["SSESpecification"] = told | {"Enabled": str(told.get("Enabled")).lower() == "true"}
    stream = properties.take("StreamSpecification")
    if stream:
        given["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["StreamViewType"]}
    return given


def bucket(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::S3::Bucket."""
    s3 = stack.client("s3")
    name = stack.physical_name(logical_id, properties.take("BucketName"), 63).lower()
    create_bucket(s3, stack.server.region, name)
    if properties.take("VersioningConfiguration", {}).get("Status") == "Enabled":
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    domain = f"{name}.s3.amazonaws.com"
    regional = f"{name}.s3.{stack.server.region}.amazonaws.com"
    return Physical(name, {"Arn": f"arn:aws:s3:::{name}", "DomainName": domain, "RegionalDomainName": regional})


def bucket_policy(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::S3::BucketPolicy."""
    name = str(properties.take("Bucket"))
    stack.client("s3").put_bucket_policy(Bucket=name, Policy=properties.take_json("PolicyDocument"))
    return Physical(name)


def log_group(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::Logs::LogGroup."""
    logs = stack.client("logs")
    name = stack.physical_name(logical_id, properties.take("LogGroupName"), 512)
    tags = tag_map(properties.take("Tags", []))
    key = properties.take("KmsKeyId")
    logs.create_log_group(logGroupName=name, **({"tags": tags} if tags else {}), **({"kmsKeyId": key} if key else {}))
    days = properties.take("RetentionInDays")
    if days:
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    return Physical(name, {"Arn": stack.arn("logs", f"log-group:{name}:*")})


def key(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::KMS::Key. Its policy is kept; nothing is refused for it here."""
    kms = stack.client("kms")
    tags = [{"TagKey": one["Key"], "TagValue": one["Value"]} for one in properties.take("Tags", [])]
    given = {"Policy": properties.take_json("KeyPolicy"), "Tags": tags}
    made = kms.create_key(**properties.for_api(kms, "create_key", **given))["KeyMetadata"]
    if str(properties.take("EnableKeyRotation")).lower() == "true":
        kms.enable_key_rotation(KeyId=made["KeyId"])
    return Physical(made["KeyId"], {"Arn": made["Arn"], "KeyId": made["KeyId"]})


STORAGE: Mapping[str, Creator] = {
    "AWS::DynamoDB::Table": table,
    "AWS::DynamoDB::GlobalTable": global_table,
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": bucket_policy,
    "AWS::Logs::LogGroup": log_group,
    "AWS::KMS::Key": key,
}
