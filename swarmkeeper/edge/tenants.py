"""For which tenants a caller may act.

A principal that some tenants list acts for those alone. A tenant that lists principals is served to nobody else but
the operators. Whoever is listed nowhere acts for every other tenant: with no principals in the settings, IAM's word
on who may call the API is the only one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from swarmkeeper.edge.settings_admission import TENANT_PATTERN, TenantSettings, matches
from swarmkeeper.errors import InvalidInput

TENANT_LABEL = "swarmkeeper.tenant"
DEFAULT_TENANT = "default"
_TENANT = re.compile(TENANT_PATTERN)
_ASSUMED = re.compile(r"arn:([a-z-]+):sts::(\d+):assumed-role/([^/]+)/.+")


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenants that a caller may act for: those in `only`, or, when it is None, all but those in `closed`."""

    only: frozenset[str] | None = None
    closed: frozenset[str] = frozenset()

    def holds(self, tenant: str) -> bool:
        return tenant not in self.closed if self.only is None else tenant in self.only

    @property
    def is_whole(self) -> bool:
        """Whether the caller may act for everybody."""
        return self.only is None and not self.closed

    def tenant_of(self, labels: dict[str, str]) -> str:
        """The tenant that a request is for: its label's, else the caller's only one, else `default`.

        Raises InvalidInput for a tenant that the caller may not act for.
        """
        unnamed = next(iter(self.only)) if self.only is not None and len(self.only) == 1 else DEFAULT_TENANT
        tenant = labels.get(TENANT_LABEL, unnamed)
        if not _TENANT.fullmatch(tenant):
            raise InvalidInput(f"Labels.{TENANT_LABEL}", "is not 1 to 40 of a-z, 0-9 and - (not first or last)")
        if not self.holds(tenant):
            raise InvalidInput(f"Labels.{TENANT_LABEL}", f"the caller may not act for {tenant}")
        return tenant


EVERYONE = Scope()
"""The scope of operators, and of whoever may invoke the function itself."""


def scope_of(caller_arn: str, tenants: TenantSettings) -> Scope:
    """What the caller with this ARN, as IAM's authorizer reports it, may act for."""
    principal = role_of(caller_arn)
    if matches(principal, tenants.operators):
        return EVERYONE
    listing = tenants.listing(principal)
    return Scope(only=listing) if listing else Scope(closed=tenants.closed)


def role_of(caller_arn: str) -> str:
    """The role of an assumed-role session, as `arn:aws:iam::ACCOUNT:role/NAME`, else itself; STS leaves paths out."""
    session = _ASSUMED.fullmatch(caller_arn)
    return f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else caller_arn
