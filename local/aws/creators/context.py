"""What the creators of resources work with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from local.aws.assets import FileAsset
from local.aws.intrinsics import Physical
from local.aws.invocations import FunctionSpec, Outcome
from local.aws.properties import Properties
from local.aws.server import AwsServer
from local.aws.unpacked import Unpacked


class Functions(Protocol):
    """Where functions are registered."""

    def register(self, spec: FunctionSpec) -> None:
        """Add a function, or replace it."""

    def functions(self) -> tuple[FunctionSpec, ...]:
        """All that are registered."""

    def invoke(self, function: str, payload: bytes) -> Outcome:
        """Run a function and wait for its outcome. Raises LookupError when it isn't registered."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in the template that the local cloud left out."""

    logical_id: str
    type: str
    what: str
    """A property, or why the whole resource."""


@dataclass(slots=True)
class Stack:
    """One deployment in progress."""

    server: AwsServer
    functions: Functions
    name: str
    code_root: Path | None
    assets: Mapping[str, FileAsset]
    """By their object keys."""
    inline_code: Path
    """The folder that functions whose code stands in the template are written to."""
    unpacked: Unpacked | None = None
    """Where functions run from their zips and the layer; None for the source tree or the assets' folders."""
    api_endpoint: Callable[[str], str] | None = None
    """Where an HTTP API is reached, by its id; AWS's own address when nobody serves it here."""
    skipped: list[Skipped] = field(default_factory=list)

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return self.server.client(service)

    def physical_name(self, logical_id: str, given: object, limit: int = 64) -> str:
        """The name that the template gives, or one made of the stack's and the logical id as CloudFormation does."""
        if given:
            return str(given)
        digest = hashlib.sha256(f"{self.name}/{logical_id}".encode()).hexdigest()[:12]
        return f"{self.name}-{logical_id}"[: limit - 13] + f"-{digest}"

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this account and region."""
        return f"arn:aws:{service}:{self.server.region}:{self.server.account}:{resource}"


Creator = Callable[[Stack, str, Properties], Physical]
"""Makes a resource from its logical id and its properties. May raise botocore's ClientError."""
