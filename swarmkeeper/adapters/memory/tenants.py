"""The tenants' part of the table in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from swarmkeeper.adapters.memory.operations import Kind, Operation, operation
from swarmkeeper.adapters.memory.tables import Tables
from swarmkeeper.domain.model import Quota, Request, Usage
from swarmkeeper.domain.quotas import added, excess, removed
from swarmkeeper.errors import QuotaExceeded

R = TypeVar("R")


class TenantTable:
    """What counts towards quotas; the rules are in `ports.StateStore`."""

    stored: Tables

    def perform(self, operation: Operation, effect: Callable[[], R]) -> R:
        raise NotImplementedError

    @operation(Kind.READ)
    def usage(self, tenant: str) -> Usage:
        return self._usage(tenant)

    def check_quota(self, request: Request, quota: Quota | None) -> None:
        """Raises QuotaExceeded."""
        too_much = None if quota is None else excess(request, quota, self._usage(request.tenant))
        if too_much is not None:
            raise QuotaExceeded(request.tenant, too_much)

    def count_in(self, request: Request, quota: Quota | None) -> None:
        if quota is not None:
            self.stored.tenants[request.tenant] = added(self._usage(request.tenant), request)

    def count_out(self, request: Request) -> None:
        self.stored.tenants[request.tenant] = removed(self._usage(request.tenant), request)

    def _usage(self, tenant: str) -> Usage:
        return self.stored.tenants.get(tenant, Usage())
