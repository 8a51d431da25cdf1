"""What the bill of docs/cost.md takes for granted is so in the template."""

from __future__ import annotations

from local.bill import model
from tests.infra.template import Template


def test_the_bill_counts_what_the_template_makes(tenants: Template) -> None:
    template = tenants
    assert len(template.of_type("AWS::CloudWatch::Alarm")) == model.alarms(worker_pools=1, pools=2)
    assert len(template.of_type("AWS::EC2::NatGateway")) == model.ZONES
    assert len(template.of_type("AWS::SecretsManager::Secret")) == model.SECRETS
    assert len(template.of_type("AWS::CloudWatch::Dashboard")) == 1
    assert len(template.of_type("AWS::Lambda::EventSourceMapping")) * 15 == model.POLLS


def test_the_bills_second_load_balancer_and_an_alarm_are_of_fleets_whose_tenants_have_networks(
    shared: Template, tenants: Template
) -> None:
    balancers = [len(each.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer")) for each in (shared, tenants)]
    assert balancers == [1, 2]
    assert [len(each.of_type("AWS::CloudWatch::Alarm")) for each in (shared, tenants)] == [11, 12]


def test_the_functions_have_the_memory_that_is_paid_for(template: Template) -> None:
    functions = template.of_type("AWS::Lambda::Function").values()
    names = {f"demo-{name}" for name in model.FUNCTIONS}
    sizes = {each["FunctionName"]: each["MemorySize"] for each in functions if each.get("FunctionName") in names}
    assert sizes == dict.fromkeys(names, int(model.MEMORY_GB * 1024))
