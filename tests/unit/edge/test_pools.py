"""Configured pools as the domain knows them."""

from __future__ import annotations

import pytest

from local.starter import project_root
from swarmkeeper.domain.model import PoolName, Resources
from swarmkeeper.edge.pools import pool_plans
from swarmkeeper.edge.settings import PoolSettings, load_settings


@pytest.mark.parametrize(
    ("types", "purchase", "labels"),
    [
        (("t3.small",), "on-demand", {"instance-type": "t3.small", "lifecycle": "on-demand"}),
        (("m7g.large", "m6g.large"), "spot", {"lifecycle": "spot"}),
    ],
)
def test_labels_that_every_node_of_a_pool_will_have_are_known_before_there_is_one(
    types: tuple[str, ...], purchase: str, labels: dict[str, str]
) -> None:
    shipped = load_settings(project_root() / "swarmkeeper.demo.yaml")
    changed = {"instance_types": types, "purchase": purchase, "labels": {"disk": "ssd"}}
    pool = PoolSettings.model_validate({**shipped.pools["workers"].model_dump(mode="json"), **changed})
    settings = shipped.model_copy(update={"pools": {**shipped.pools, "workers": pool}})
    plan = pool_plans(settings, lambda kind: Resources(2 * 10**9, 2**31))[PoolName("workers")]
    assert plan.pool.labels == {"disk": "ssd", "pool": "workers", "ostype": "linux", **labels}
