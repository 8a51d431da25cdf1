"""How nodes and functions reach AWS: through NAT, or through endpoints for exactly what they call."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.functions import PLANS
from infra.network import ENDPOINTS
from swarmkeeper.edge.settings import SettingsError, load_settings
from tests.infra.conftest import ROOT, synthesised
from tests.infra.template import Template

GATEWAYS = {"s3", "dynamodb"}
WITHOUT_CALL = {"logs", "sqs"}
"""What Lambda itself does with a function's role, and from outside the VPC: logs, queues that wake it, dead letters."""
REGISTRY = {"ecr.api", "ecr.dkr"}


def profile(folder: Path, *, images: bool) -> Path:
    text = (ROOT / "swarmkeeper.demo.yaml").read_text().replace("  domain:", "  egress: endpoints\n  domain:", 1)
    if images:
        text = text.replace("    min: 1\n", "    node_image: ami-0123456789abcdef0\n    min: 1\n")
    file = folder / "swarmkeeper.yaml"
    file.write_text(text)
    return file


@pytest.fixture
def closed(tmp_path: Path) -> Template:
    return synthesised(load_settings(profile(tmp_path, images=True)), tmp_path)


def services(template: Template, kind: str) -> set[str]:
    endpoints = template.of_type("AWS::EC2::VPCEndpoint").values()
    names = (str(each["ServiceName"]) for each in endpoints if each["VpcEndpointType"] == kind)
    return {name.split("eu-central-1.")[-1] for name in names}


def called(template: Template) -> set[str]:
    """The services whose actions nodes, and functions in the VPC, are granted."""
    roles = [template.role_of_pool(f"demo-{pool}") for pool in ("workers", "managers")]
    roles += [template.role_of_function(f"demo-{name}") for name, plan in PLANS.items() if plan.calls_engines]
    actions = [action for role in roles for each in template.statements_of(role) for action in each.actions]
    return {action.partition(":")[0] for action in actions}


def test_without_nat_there_is_an_endpoint_for_every_service_that_is_called_and_no_other(closed: Template) -> None:
    assert not closed.of_type("AWS::EC2::NatGateway")
    assert services(closed, "Interface") == set(ENDPOINTS)
    assert services(closed, "Gateway") == GATEWAYS
    granted = called(closed) - WITHOUT_CALL - GATEWAYS - {"ecr"}
    assert granted == set(ENDPOINTS) - REGISTRY


def test_endpoints_take_calls_of_functions_and_nodes_only(closed: Template) -> None:
    groups = {f"<{name}.GroupId>": each for name, each in closed.of_type("AWS::EC2::SecurityGroup").items()}
    group = next(name for name, each in groups.items() if each["GroupDescription"] == "Endpoints of AWS services")
    assert "SecurityGroupIngress" not in groups[group]
    rules = [each for each in closed.of_type("AWS::EC2::SecurityGroupIngress").values() if each["GroupId"] == group]
    callers = {(groups[each["SourceSecurityGroupId"]]["GroupDescription"], each["FromPort"]) for each in rules}
    assert callers == {("Functions that call engines", 443), ("All nodes", 443)}
    for each in closed.of_type("AWS::EC2::VPCEndpoint").values():
        assert each["VpcEndpointType"] == "Gateway" or each["SecurityGroupIds"] == [group]


def test_nat_is_the_default_with_a_gateway_a_zone(template: Template) -> None:
    assert len(template.of_type("AWS::EC2::NatGateway")) == 2
    assert services(template, "Interface") == set()


def test_without_the_internet_every_pool_needs_an_image_that_has_the_engine(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(profile(tmp_path, images=False))
    assert "pools.managers.node_image: network.egress is endpoints" in str(refused.value)
    assert "pools.workers.node_image: " in str(refused.value)
