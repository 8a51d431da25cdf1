"""How users come in: the load balancer's certificate, its names, and whether it faces the internet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from swarmkeeper.edge.settings_fields import Flag, Strict, broken
from swarmkeeper.edge.settings_rules import Problem

CertificateArn = Annotated[
    str, Field(pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]{36}$", max_length=200)
]
HostedZoneId = Annotated[str, Field(pattern=r"^Z[A-Z0-9]{1,31}$")]
Domain = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")]


class HostedZone(Strict):
    """A public zone of Route 53 in the same account, in which the fleet's domain lies."""

    id: HostedZoneId
    name: Domain


class EntrySettings(Strict):
    """How users come in; without a certificate over plain HTTP, from inside the VPC only."""

    certificate: CertificateArn | None = None
    """A certificate of ACM for `*.<domain>` in the stack's region; the name is yours to point at the load balancer."""
    hosted_zone: HostedZone | None = None
    """The stack makes the certificate, proves it by records there, and points `*.<domain>` at the load balancer."""
    public: Flag = False
    """Whether the load balancer faces the internet; with a certificate only."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        broken(self._problems())
        return self

    @property
    def is_encrypted(self) -> bool:
        return self.certificate is not None or self.hosted_zone is not None

    def _problems(self) -> Iterator[Problem]:
        if self.certificate is not None and self.hosted_zone is not None:
            yield Problem(("certificate",), "is made by the stack where a hosted_zone is given: give one of them")
        if self.public and not self.is_encrypted:
            yield Problem(("public",), "needs a certificate or a hosted_zone: passwords and consoles pass there")
