"""The tenants' part of the table: what counts towards a quota, written only where there is one."""

from __future__ import annotations

from collections.abc import Mapping

from swarmkeeper.adapters.aws.dynamo import DynamoTable
from swarmkeeper.adapters.aws.items import Item, integer_in, tenant_key
from swarmkeeper.adapters.aws.writes import Terms, Write, add_to
from swarmkeeper.domain.model import Quota, Request, Usage
from swarmkeeper.domain.quotas import Excess, amounts, ceilings, excess
from swarmkeeper.errors import QuotaExceeded


class TenantRecords:
    """Tenants; the rules are in `ports.StateStore`."""

    table: DynamoTable

    def usage(self, tenant: str) -> Usage:
        return usage_in(self.table.get(tenant_key(tenant)))


def usage_in(item: Item | None) -> Usage:
    if item is None:
        return Usage()
    return Usage(integer_in(item, "containers"), integer_in(item, "nano_cpus"), integer_in(item, "memory_bytes"))


def count_in(request: Request, quota: Quota) -> Write:
    """Count one more, if the quota allows it."""
    terms = Terms()
    for name, most in ceilings(request, quota).items():
        terms.at_most_or_absent(name, most)
    return add_to(tenant_key(request.tenant), amounts(request), terms)


def count_out(request: Request) -> Write:
    """Count one less."""
    given_back: Mapping[str, int] = amounts(request)
    terms = Terms()
    for name, amount in given_back.items():
        terms.at_least(name, amount)
    return add_to(tenant_key(request.tenant), {name: -amount for name, amount in given_back.items()}, terms)


def quota_exceeded(request: Request, quota: Quota, actual: Item | None) -> QuotaExceeded:
    """The refusal that the tenant's item explains."""
    too_much = excess(request, quota, usage_in(actual))
    return QuotaExceeded(request.tenant, too_much or Excess("containers", 0, 1, 0))
