"""The Run Command documents: what the registrar and the placement function may run on a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from aws_cdk import Stack
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.names import SAVE, Names
from infra.projects import Archive
from swarmkeeper.edge.settings import Settings
from swarmkeeper.ports import WINDOWS_DOCUMENT

SCRIPTS = Path(__file__).parent / "documents"
BOOT_LIMIT_S = 420
"""How long a command waits for the user data, which on a stock image installs the engine first."""

AWS_RESOLVER = 2
"""Of a VPC's addresses the one at which AWS answers DNS."""

_BASE64_PEM = "^[A-Za-z0-9+/=]+$"
_IPV4 = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that Run Command checks before it fills it into the script."""

    description: str
    pattern: str
    default: str | None = None

    def as_document(self) -> dict[str, str]:
        optional = {} if self.default is None else {"default": self.default}
        return {"type": "String", "description": self.description, "allowedPattern": self.pattern, **optional}


@dataclass(frozen=True, slots=True)
class Script:
    """One document: the parts of its script, its parameters and how long it may run."""

    parts: tuple[str, ...]
    description: str
    timeout_s: int
    parameters: Mapping[str, Parameter]


DOCUMENTS: dict[str, Script] = {
    "node-csr": Script(("boot", "node-csr"), "Makes the engine's key and prints its signing request", 600, {}),
    "node-join": Script(
        ("boot", "registry", "node-join"),
        "Joins the node to the Swarm and starts what every node runs",
        900,
        {
            "mode": Parameter("init makes the Swarm, join joins it, recover revives it", "^(init|join|recover)$"),
            "role": Parameter("The node's role in the Swarm", "^(manager|worker)$"),
            "certificate": Parameter("The engine's certificate, PEM in base64", _BASE64_PEM),
            "authority": Parameter("The fleet's authority, PEM in base64", _BASE64_PEM),
            "managers": Parameter("host:2377 of managers, comma separated", f"^({_IPV4}:2377(,{_IPV4}:2377)*)?$", ""),
            "address": Parameter("The node's private address", f"^{_IPV4}$"),
            "spread": Parameter("Seconds within which the node picks the moment of its join", "^[0-9]{1,3}$", "0"),
            "pool": Parameter("The node's pool, for what measures it", "^[a-z0-9-]{0,40}$", ""),
        },
    ),
    "node-leave": Script(("node-leave",), "Takes the node out of the Swarm", 300, {}),
    "node-pull": Script(
        ("registry", "node-pull"),
        "Brings an image to the node",
        3600,
        {"image": Parameter("The image's reference", "^[a-z0-9][A-Za-z0-9._:/@-]{0,400}$")},
    ),
    SAVE: Script(
        ("registry", SAVE),
        "Saves what a stopped container has written to the fleet's registry",
        1200,
        {
            "container": Parameter("The container's whole id", "^[0-9a-f]{64}$"),
            "image": Parameter(
                "Where it is saved; the tag is its move's", "^[a-z0-9][a-z0-9._:/-]{0,400}:[0-9a-f]{16}$"
            ),
        },
    ),
}


WINDOWS_DOCUMENTS: dict[str, Script] = {
    "node-csr": replace(DOCUMENTS["node-csr"], parts=("boot", "engine", "node-csr")),
    "node-join": replace(
        DOCUMENTS["node-join"],
        parts=("boot", "engine", "node-join"),
        description="Joins the node to the Swarm",
        parameters={
            **DOCUMENTS["node-join"].parameters,
            "mode": Parameter("join joins the Swarm; it is made on Linux", "^(join)$"),
            "role": Parameter("The node's role in the Swarm", "^(worker)$"),
            "managers": Parameter("host:2377 of managers, comma separated", f"^{_IPV4}:2377(,{_IPV4}:2377)*$"),
        },
    ),
    "node-leave": replace(DOCUMENTS["node-leave"], parts=("engine", "node-leave")),
    "node-pull": DOCUMENTS["node-pull"],
}
"""The same commands in PowerShell: the same parameters, the same output."""


def constants(
    settings: Settings,
    names: Names,
    projects: Archive,
    images: Mapping[str, str],
    *,
    region: str,
    bucket: str,
    key: str,
    locator: str = "",
) -> dict[str, str]:
    """What every script is told, by variable.

    `bucket` and `key`: where the projects' archive is. `images`: those that nodes run, by name. `locator`: where
    routers ask which node has a container, host and port; empty where they all know it.
    """
    return {
        "AWS_DEFAULT_REGION": region,
        "BOOT_LIMIT_S": str(BOOT_LIMIT_S),
        "ASSET_BUCKET": bucket,
        "ASSET_KEY": key,
        "ASSET_SHA256": projects.sha256,
        "TOKEN_PREFIX": names.join_token("")[:-1],
        "JOIN_IMAGE": images["join"],
        "ROUTER_IMAGE": images["router"],
        "CADVISOR_IMAGE": images["cadvisor"],
        "TELEGRAF_IMAGE": images["telegraf"],
        "INFLUXDB_URL": settings.monitoring.influxdb or "",
        "INFLUXDB_PASSWORD_PARAMETER": names.influxdb_password,
        "ROUTER_PORT": str(settings.network.router_port),
        "DOMAIN": settings.network.domain,
        "VPC_CIDR": str(settings.network.vpc_cidr),
        "BODY_LIMIT": str(settings.network.body_limit),
        "ACCESS_LOG": "yes" if settings.network.access_log else "no",
        "REGISTRY": settings.images.registry or "",
        "REGISTRY_PARAMETERS": names.registry_parameters,
        "OVERLAY_POOL": str(settings.network.overlay_pool),
        "FLEET_SUBNET": str(settings.network.fleet_subnet),
        "OVERLAY_PREFIX": str(settings.network.cut_prefix),
        "FLEET": names.fleet,
        "TENANT_NETWORKS": "yes" if settings.network.isolation == "tenant" else "",
        "LOCATOR": locator,
        "RESOLVER": str(settings.network.vpc_cidr[AWS_RESOLVER]),
        "SHARED_VOLUMES": "yes" if settings.volumes.shared else "",
    }


class NodeDocuments(Construct):
    """One document for each command that is run on nodes."""

    def __init__(
        self,
        scope: Construct,
        settings: Settings,
        names: Names,
        *,
        projects: Archive,
        images: Mapping[str, str],
        locator: str = "",
    ) -> None:
        """`locator`: where routers ask which node has a container, host and port; empty where they all know it."""
        super().__init__(scope, "Documents")
        asset = s3_assets.Asset(self, "Projects", path=str(projects.path))
        self.projects_arn = asset.bucket.arn_for_objects(asset.s3_object_key)
        told = constants(
            settings,
            names,
            projects,
            images,
            region=Stack.of(self).region,
            bucket=asset.s3_bucket_name,
            key=asset.s3_object_key,
            locator=locator,
        )
        for name, script in DOCUMENTS.items():
            if name in names.documents(name):
                self._document(names.of(name), name, document_content(script, script_lines(script, told)))
        for name, script in WINDOWS_DOCUMENTS.items() if names.has_windows else ():
            lines = powershell_lines(script, told)
            content = document_content(script, lines, "Windows", "aws:runPowerShellScript")
            self._document(names.of(f"{name}{WINDOWS_DOCUMENT}"), f"{name}{WINDOWS_DOCUMENT}", content)

    def _document(self, name: str, construct_id: str, content: Mapping[str, object]) -> None:
        ssm.CfnDocument(
            self,
            construct_id,
            name=name,
            document_type="Command",
            document_format="JSON",
            # A named document can't be replaced, only given a new version.
            update_method="NewVersion",
            target_type="/AWS::EC2::Instance",
            content=content,
        )


def document_content(
    script: Script, lines: list[str], platform: str = "Linux", action: str = "aws:runShellScript"
) -> dict[str, object]:
    """A document as Systems Manager takes it."""
    return {
        "schemaVersion": "2.2",
        "description": script.description,
        "parameters": {name: parameter.as_document() for name, parameter in script.parameters.items()},
        "mainSteps": [
            {
                "action": action,
                "name": "run",
                "precondition": {"StringEquals": ["platformType", platform]},
                "inputs": {"timeoutSeconds": str(script.timeout_s), "runCommand": lines},
            }
        ],
    }


def script_lines(script: Script, constants: Mapping[str, str]) -> list[str]:
    """The script: its constants and parameters as shell variables, then its parts.

    Quotes are safe: constants come from checked settings, parameters match patterns without a quote.
    """
    body = _body(script, "sh")
    used = {name: value for name, value in constants.items() if name == "AWS_DEFAULT_REGION" or _uses(body, name)}
    return [
        "#!/bin/bash",
        "set -euo pipefail",
        *(f"{'export ' if name == 'AWS_DEFAULT_REGION' else ''}{name}='{value}'" for name, value in used.items()),
        *(f"{name}='{{{{ {name} }}}}'" for name in script.parameters),
        *body,
    ]


def powershell_lines(script: Script, constants: Mapping[str, str]) -> list[str]:
    """The same in PowerShell."""
    body = _body(script, "ps1")
    return [
        "$ErrorActionPreference = 'Stop'",
        # Or a progress bar is drawn into the output, and makes downloads many times slower.
        "$ProgressPreference = 'SilentlyContinue'",
        *(f"${name} = '{value}'" for name, value in constants.items() if _uses(body, name)),
        *(f"${name} = '{{{{ {name} }}}}'" for name in script.parameters),
        *body,
    ]


def _body(script: Script, suffix: str) -> list[str]:
    texts = ((SCRIPTS / f"{part}.{suffix}").read_text(encoding="utf-8") for part in script.parts)
    return [line for text in texts for line in text.splitlines()]


def _uses(body: list[str], name: str) -> bool:
    return any(f"{{{name}" in line or f"${name}" in line for line in body)
