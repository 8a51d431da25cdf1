"""Custom resources: those of the CDK whose effect can be had without running their provider."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any

from local.aws.creators.context import Creator, Skipped, Stack
from local.aws.intrinsics import Physical
from local.aws.properties import Properties


def bucket_deployment(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """Custom::CDKBucketDeployment: copies assets into a bucket, unpacked unless it says not to."""
    s3 = stack.client("s3")
    properties.take("ServiceToken")
    buckets, keys = properties.take("SourceBucketNames", []), properties.take("SourceObjectKeys", [])
    markers = properties.take("SourceMarkers", [])
    target = str(properties.take("DestinationBucketName"))
    prefix = str(properties.take("DestinationBucketKeyPrefix", "")).strip("/")
    extract = str(properties.take("Extract", True)).lower() == "true"
    for number, (bucket, key) in enumerate(zip(buckets, keys, strict=True)):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        files = _unpacked(body) if extract else {key: body}
        for path, content in files.items():
            replaced = _replace(content, markers[number] if number < len(markers) else {})
            s3.put_object(Bucket=target, Key=f"{prefix}/{path}" if prefix else path, Body=replaced)
    arn = f"arn:aws:s3:::{target}"
    return Physical(logical_id, {"DestinationBucketArn": arn, "SourceObjectKeys": keys})


def sdk_call(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """Custom::AWS: one call of an AWS API when the stack is made."""
    properties.take("ServiceToken")
    for name in ("Update", "Delete", "InstallLatestAwsSdk"):
        properties.take(name)
    create = properties.take("Create")
    if not create:
        return Physical(logical_id)
    call = json.loads(create) if isinstance(create, str) else create
    answer = _call(stack, str(call["service"]), str(call["action"]), call.get("parameters") or {})
    physical = (call.get("physicalResourceId") or {}).get("id") or logical_id
    return Physical(str(physical), _flat(answer))


def nothing(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """A resource whose provider has nothing to do here."""
    properties.take_all()
    stack.skipped.append(Skipped(logical_id, properties.resource_type, "has no effect in the local cloud"))
    return Physical(logical_id)


def _call(stack: Stack, service: str, action: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Call an API named as the JavaScript SDK names it: `AutoScaling` or `@aws-sdk/client-auto-scaling`."""
    name = re.sub(r"[^a-z0-9]", "", service.removeprefix("@aws-sdk/client-").lower())
    client = stack.client(_SERVICES.get(name, name))
    operation = action.removesuffix("Command")
    operation = operation[0].upper() + operation[1:]
    method = next(own for own, api in client.meta.method_to_api_mapping.items() if api == operation)
    answer: dict[str, Any] = getattr(client, method)(**parameters)
    answer.pop("ResponseMetadata", None)
    return answer


# Where the JavaScript SDK's name isn't boto3's.
_SERVICES = {"eventbridge": "events", "cloudwatchlogs": "logs", "elasticloadbalancingv2": "elbv2"}


def _flat(answer: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """An answer's values under their paths, as `Fn::GetAtt` names them: `Parameter.Value`."""
    flat: dict[str, object] = {}
    for key, value in answer.items():
        path = f"{prefix}{key}"
        flat |= _flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat


def _unpacked(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {one.filename: archive.read(one) for one in archive.infolist() if not one.is_dir()}


def _replace(content: bytes, markers: Mapping[str, str]) -> bytes:
    for marker, value in markers.items():
        content = content.replace(marker.encode(), str(value).encode())
    return content


CUSTOM: Mapping[str, Creator] = {
    "AWS::CDK::Metadata": nothing,
    "Custom::AWS": sdk_call,
    "Custom::CDKBucketDeployment": bucket_deployment,
    "Custom::S3AutoDeleteObjects": nothing,
    "Custom::VpcRestrictDefaultSG": nothing,
}
