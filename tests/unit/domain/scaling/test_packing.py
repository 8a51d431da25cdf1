from __future__ import annotations

from swarmkeeper.domain.scaling.packing import in_packing_order
from tests.unit.domain.builders import a_request, resources


def test_the_largest_share_of_either_resource_comes_first() -> None:
    requests = [
        a_request("small", cpus=0.1, memory_mib=10),
        a_request("memory", cpus=0.1, memory_mib=1024),
        a_request("cpu", cpus=1.5, memory_mib=10),
    ]
    assert [each.name for each in in_packing_order(requests, resources(2, 2048))] == ["cpu", "memory", "small"]
