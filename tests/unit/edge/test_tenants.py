"""For whom a caller may act, and what a tenant may use."""

from __future__ import annotations

import pytest

from swarmkeeper.domain.model import Quota
from swarmkeeper.edge.settings_admission import TenantSettings
from swarmkeeper.edge.tenants import EVERYONE, scope_of
from swarmkeeper.errors import InvalidInput

ROLE = "arn:aws:iam::123456789012:role"
SESSION = "arn:aws:sts::123456789012:assumed-role"
SETTINGS = TenantSettings.model_validate(
    {
        "quota": {"containers": 10},
        "operators": [f"{ROLE}/ops"],
        "known": {
            "acme": {"principals": [f"{ROLE}/acme-*"], "quota": {"cpus": 1.5, "memory": "1GiB"}},
            "globex": {"principals": [f"{ROLE}/globex", f"{ROLE}/acme-both"]},
            "open": {"quota": {"containers": 1}},
        },
    }
)


@pytest.mark.parametrize(
    ("caller", "acts_for", "not_for"),
    [
        pytest.param(f"{SESSION}/acme-web/i-1", {"acme"}, {"globex", "default", "open"}, id="one tenant's role"),
        pytest.param(f"{SESSION}/acme-both/x", {"acme", "globex"}, {"default"}, id="a role of two tenants"),
        pytest.param(f"{SESSION}/somebody/x", {"default", "open", "new"}, {"acme", "globex"}, id="listed nowhere"),
        pytest.param(f"{SESSION}/ops/x", {"acme", "globex", "default"}, set(), id="an operator"),
        pytest.param("arn:aws:iam::123456789012:user/acme-web", {"default"}, {"acme"}, id="a user of a role's name"),
        pytest.param("arn:aws:sts::999999999999:assumed-role/acme-web/x", {"default"}, {"acme"}, id="another account"),
    ],
)
def test_principals_bound_whom_a_caller_acts_for(caller: str, acts_for: set[str], not_for: set[str]) -> None:
    scope = scope_of(caller, SETTINGS)
    assert {tenant for tenant in acts_for | not_for if scope.holds(tenant)} == acts_for


def test_without_principals_every_caller_acts_for_every_tenant() -> None:
    assert scope_of(f"{SESSION}/somebody/x", TenantSettings()).is_whole


def test_a_request_without_a_tenant_is_for_the_callers_only_one() -> None:
    assert scope_of(f"{SESSION}/acme-web/i-1", SETTINGS).tenant_of({}) == "acme"
    assert EVERYONE.tenant_of({}) == "default"


@pytest.mark.parametrize("caller", ["acme-web", "acme-both", "somebody"])
def test_a_request_for_a_tenant_of_others_is_refused(caller: str) -> None:
    scope = scope_of(f"{SESSION}/{caller}/x", SETTINGS)
    other = {"acme-web": "globex", "acme-both": "default", "somebody": "acme"}[caller]
    with pytest.raises(InvalidInput, match="may not act for"):
        scope.tenant_of({"swarmkeeper.tenant": other})


@pytest.mark.parametrize(
    ("tenant", "quota"),
    [
        ("acme", Quota(nano_cpus=1_500_000_000, memory_bytes=2**30)),
        ("globex", Quota(containers=10)),
        ("unknown", Quota(containers=10)),
        ("open", Quota(containers=1)),
    ],
)
def test_a_tenant_has_its_own_quota_or_the_common_one(tenant: str, quota: Quota) -> None:
    assert SETTINGS.quota_of(tenant) == quota


def test_without_settings_there_is_no_quota() -> None:
    assert TenantSettings().quota_of("acme") is None
