"""Functions, and what belongs to them. Their code runs from the source tree, assets, or what Lambda unpacks."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from local.aws.arns import function_name, qualifier
from local.aws.creators.context import Creator, Skipped, Stack
from local.aws.intrinsics import Physical
from local.aws.invocations import AsyncPolicy, FunctionSpec
from local.aws.properties import Properties


def function(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::Lambda::Function: made in moto without its code, and registered where it can run."""
    client = stack.client("lambda")
    name = stack.physical_name(logical_id, properties.take("FunctionName"))
    code = properties.take("Code", {})
    reserved = properties.take("ReservedConcurrentExecutions")
    parameters = properties.for_api(client, "create_function", FunctionName=name, Code={"ZipFile": _no_code()})
    arn = str(client.create_function(**parameters)["FunctionArn"])
    if reserved is not None:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(reserved))
    root = _code_root(stack, name, str(parameters.get("Handler", "")), code)
    if root is None or not str(parameters.get("Runtime", "")).startswith("python"):
        stack.skipped.append(Skipped(logical_id, "AWS::Lambda::Function", "not run: no Python code for it here"))
    else:
        spec = _spec(stack, name, parameters, root, reserved)
        stack.functions.register(spec if "ZipFile" in code else _apart(stack, spec))
    return Physical(name, {"Arn": arn})


def _spec(stack: Stack, name: str, parameters: Mapping[str, Any], root: Path, reserved: object) -> FunctionSpec:
    in_tree = stack.code_root == root
    return FunctionSpec(
        name=name,
        handler=str(parameters["Handler"]),
        code_root=root,
        environment=dict(parameters.get("Environment", {}).get("Variables", {})),
        timeout_s=float(parameters.get("Timeout", 3)),
        memory_mb=int(parameters.get("MemorySize", 128)),
        reserved_concurrency=None if reserved is None else int(str(reserved)),
        layers=() if in_tree else tuple(_layer_paths(stack, parameters.get("Layers", []))),
        snapshots=parameters.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions",
        dead_letter_arn=str(parameters.get("DeadLetterConfig", {}).get("TargetArn", "")),
    )


def _apart(stack: Stack, spec: FunctionSpec) -> FunctionSpec:
    """The function from its zip and the layer alone, where that is wanted."""
    unpacked = stack.unpacked
    if unpacked is None:
        return spec
    return replace(
        spec,
        code_root=unpacked.task(spec.name, spec.code_root),
        layers=(unpacked.layer,) if spec.layers else (),
        isolation=unpacked.isolation,
    )


def _code_root(stack: Stack, name: str, handler: str, code: Mapping[str, Any]) -> Path | None:
    """Where the handler's module is: the source tree, else the asset; None when the code isn't here.

    Code that stands in the template is written to a folder of its own, as AWS names it.
    """
    if isinstance(code.get("ZipFile"), str):
        folder = stack.inline_code / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.py").write_text(code["ZipFile"], encoding="utf-8")
        return folder
    module = Path(*handler.split(".")[:-1]).with_suffix(".py") if "." in handler else None
    asset = stack.assets.get(str(code.get("S3Key", "")))
    roots = [stack.code_root, asset.path if asset else None]
    return next((root for root in roots if module and root and (root / module).is_file()), None)


def _layer_paths(stack: Stack, arns: list[str]) -> list[Path]:
    """The import folders of layers, which note their asset's key in their description."""
    client = stack.client("lambda")
    paths = []
    for arn in arns:
        _, _, rest = arn.rpartition("layer:")
        name, _, version = rest.partition(":")
        described = client.get_layer_version(LayerName=name, VersionNumber=int(version))["Description"]
        if described in stack.assets:
            paths.append(stack.assets[described].path / "python")
    return paths


def layer_version(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::Lambda::LayerVersion; its description becomes the asset's key, by which a function finds it."""
    client = stack.client("lambda")
    name = stack.physical_name(logical_id, properties.take("LayerName"), 140)
    key = str(properties.take("Content", {}).get("S3Key", ""))
    properties.take("Description")
    parameters = properties.for_api(
        client, "publish_layer_version", LayerName=name, Content={"ZipFile": _no_code()}, Description=key
    )
    arn = str(client.publish_layer_version(**parameters)["LayerVersionArn"])
    return Physical(arn, {"LayerVersionArn": arn})


def permission(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::Lambda::Permission: on the function, or on the version or alias that it names."""
    client = stack.client("lambda")
    function = str(properties.take("FunctionName"))
    wanted = {"Qualifier": qualifier(function)} if qualifier(function) else {}
    parameters = properties.for_api(
        client, "add_permission", FunctionName=function_name(function), StatementId=logical_id, **wanted
    )
    client.add_permission(**parameters)
    return Physical(logical_id)


def event_invoke_config(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::Lambda::EventInvokeConfig."""
    client = stack.client("lambda")
    name = function_name(str(properties.take("FunctionName")))
    parameters = properties.for_api(client, "put_function_event_invoke_config", FunctionName=name)
    parameters.pop("Qualifier", None)  # every version runs the same code here
    client.put_function_event_invoke_config(**parameters)
    destinations = parameters.get("DestinationConfig", {})
    policy = AsyncPolicy(
        max_retries=int(parameters.get("MaximumRetryAttempts", 2)),
        max_age_s=float(parameters.get("MaximumEventAgeInSeconds", 21_600)),
        on_failure_arn=str(destinations.get("OnFailure", {}).get("Destination", "")),
        on_success_arn=str(destinations.get("OnSuccess", {}).get("Destination", "")),
    )
    for spec in stack.functions.functions():
        if spec.name == name:
            stack.functions.register(replace(spec, async_policy=policy))
    return Physical(logical_id)


def event_source_mapping(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::Lambda::EventSourceMapping."""
    client = stack.client("lambda")
    name = function_name(str(properties.take("FunctionName")))
    parameters = properties.for_api(client, "create_event_source_mapping", FunctionName=name)
    uuid = str(client.create_event_source_mapping(**parameters)["UUID"])
    return Physical(uuid, {"Id": uuid})


def version(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::Lambda::Version."""
    client = stack.client("lambda")
    name = function_name(str(properties.take("FunctionName")))
    made = client.publish_version(**properties.for_api(client, "publish_version", FunctionName=name))
    arn, number = str(made["FunctionArn"]), str(made["Version"])
    _publish(stack, name, number, number)
    return Physical(arn, {"FunctionArn": arn, "Version": number})


def alias(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::Lambda::Alias."""
    client = stack.client("lambda")
    name = function_name(str(properties.take("FunctionName")))
    made = client.create_alias(**properties.for_api(client, "create_alias", FunctionName=name))
    _publish(stack, name, str(made["Name"]), str(made["FunctionVersion"]))
    return Physical(str(made["AliasArn"]), {"AliasArn": made["AliasArn"]})


def _publish(stack: Stack, name: str, called: str, number: str) -> None:
    """Let the function be called by a version or alias."""
    for spec in stack.functions.functions():
        if spec.name == name:
            stack.functions.register(replace(spec, published={**spec.published, called: number}))


def _no_code() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("empty", "")
    return buffer.getvalue()


LAMBDAS: Mapping[str, Creator] = {
    "AWS::Lambda::Function": function,
    "AWS::Lambda::LayerVersion": layer_version,
    "AWS::Lambda::Permission": permission,
    "AWS::Lambda::EventInvokeConfig": event_invoke_config,
    "AWS::Lambda::EventSourceMapping": event_source_mapping,
    "AWS::Lambda::Version": version,
    "AWS::Lambda::Alias": alias,
}
