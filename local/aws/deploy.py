"""Deploys a synthesised template to the emulated AWS: every resource through the API that would make it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.assets import FileAsset, load_assets, upload
from local.aws.creators import creator_of
from local.aws.creators.context import Functions, Skipped, Stack
from local.aws.intrinsics import NO_VALUE, Physical, Place, Resolver
from local.aws.properties import Properties
from local.aws.server import AwsServer
from local.aws.template import Resource, Template
from local.aws.unpacked import Unpacked

__all__ = ["DeployError", "Deployed", "Deployment", "Skipped", "deploy"]

logger = logging.getLogger(__name__)

_CODE_TYPES = {"AWS::Lambda::Function": "Code", "AWS::Lambda::LayerVersion": "Content"}


class DeployError(Exception):
    """A resource could not be made."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What to deploy, and with what."""

    template: Path
    """`<stack>.template.json` of a cloud assembly; its assets stand beside it in `<stack>.assets.json`."""
    stack: str = ""
    """The stack's name; the template's file name when it isn't given."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    ssm_values: Mapping[str, str] = field(default_factory=dict)
    """Values of public SSM parameters, such as the newest machine image's."""
    code_root: Path | None = None
    """The source tree that functions run from; without one they run from their assets."""
    unpacked: Unpacked | None = None
    """Where functions run from their zips and the layer, apart from the source tree."""
    inline_code: Path | None = None
    """Where code that stands in the template is written; `inline` beside the template when not given."""
    zones: tuple[str, ...] = ()
    """The region's availability zones; three when not given."""

    @property
    def stack_name(self) -> str:
        return self.stack or self.template.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deployment made."""

    outputs: Mapping[str, str]
    resources: Mapping[str, Physical]
    """By logical id."""
    skipped: tuple[Skipped, ...]
    """What the template says and the local cloud doesn't do."""


def deploy(
    server: AwsServer,
    functions: Functions,
    deployment: Deployment,
    progress: Callable[[str], None] | None = None,
    *,
    api_endpoint: Callable[[str], str] | None = None,
) -> Deployed:
    """Make everything that the template declares, in the order of what needs what.

    `progress` is told each resource before it is made; `api_endpoint` says where an HTTP API is reached. Raises
    DeployError, which names the resource, and TemplateError; nothing is rolled back.
    """
    template = Template.load(deployment.template)
    assets = _assets(server, deployment)
    upload(server.client("s3"), server.region, _without_code(template, assets))
    stack = Stack(
        server=server,
        functions=functions,
        name=deployment.stack_name,
        code_root=deployment.code_root,
        assets={asset.key: asset for asset in assets},
        inline_code=deployment.inline_code or deployment.template.parent / "inline",
        unpacked=deployment.unpacked,
        api_endpoint=api_endpoint,
    )
    resolver = _resolver(server, deployment, template)
    made = {
        resource.id: _create(stack, resolver, resource, progress or (lambda _: None))
        for resource in template.order()
        if not resource.condition or resolver.condition(resource.condition)
    }
    return Deployed(
        outputs=_outputs(template, resolver),
        resources={name: physical for name, physical in made.items() if physical is not None},
        skipped=tuple(stack.skipped),
    )


def _create(stack: Stack, resolver: Resolver, resource: Resource, progress: Callable[[str], None]) -> Physical | None:
    """Make one resource and teach the resolver its names; None when its type is unknown, which is noted."""
    creator = creator_of(resource.type)
    if creator is None:
        logger.warning("resource skipped", extra={"resource": resource.id, "type": resource.type})
        stack.skipped.append(Skipped(resource.id, resource.type, "the local cloud doesn't know this type"))
        return None
    progress(f"{resource.type} {resource.id}")
    resolved = resolver.resolve(resource.properties)
    properties = Properties(resolved if isinstance(resolved, Mapping) else {}, resource.type)
    try:
        physical = creator(stack, resource.id, properties)
    except (ClientError, BotoCoreError, LookupError, TypeError, ValueError) as error:
        raise DeployError(f"{resource.id} ({resource.type}) could not be made: {error!r}") from error
    stack.skipped += [Skipped(resource.id, resource.type, name) for name in properties.unused()]
    resolver.made(resource.id, physical)
    return physical


def _resolver(server: AwsServer, deployment: Deployment, template: Template) -> Resolver:
    def ssm(path: str) -> str:
        if path in deployment.ssm_values:
            return deployment.ssm_values[path]
        try:
            return str(server.client("ssm").get_parameter(Name=path)["Parameter"]["Value"])
        except ClientError as error:
            raise KeyError(path) from error

    zones = deployment.zones or tuple(f"{server.region}{letter}" for letter in "abc")
    place = Place(server.account, server.region, deployment.stack_name, zones)
    return Resolver(template, place, deployment.parameters, ssm)


def _assets(server: AwsServer, deployment: Deployment) -> tuple[FileAsset, ...]:
    manifest = deployment.template.with_name(deployment.template.name.replace(".template.json", ".assets.json"))
    if manifest == deployment.template or not manifest.exists():
        return ()
    return load_assets(manifest, server.account, server.region)


def _without_code(template: Template, assets: Iterable[FileAsset]) -> list[FileAsset]:
    """The assets without functions' code, which runs from disk, and without the template itself."""
    code = {
        str(part.get("S3Key"))
        for resource in template.resources.values()
        if resource.type in _CODE_TYPES
        and isinstance(part := resource.properties.get(_CODE_TYPES[resource.type]), Mapping)
    }
    return [asset for asset in assets if asset.key not in code and not asset.path.name.endswith(".template.json")]


def _outputs(template: Template, resolver: Resolver) -> dict[str, str]:
    outputs = {}
    for name, declared in template.outputs.items():
        condition = str(declared.get("Condition") or "")
        if condition and not resolver.condition(condition):
            continue
        value = resolver.resolve(declared["Value"])
        if value is not NO_VALUE:
            outputs[name] = str(value)
    return outputs
