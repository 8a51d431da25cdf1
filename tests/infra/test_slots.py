"""A slot: a network interface and a volume that outlive the instances that have them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.slots import PLACEHOLDER
from swarmkeeper.edge.settings import PoolSettings, Settings, load_settings
from swarmkeeper.edge.settings_retained import RetainedState
from tests.infra.conftest import ROOT, synthesised
from tests.infra.template import Template

ZONES = {"manager-a": 1, "manager-b": 2, "manager-c": 1}


def with_slots() -> Settings:
    """The demo's settings with a slot for each of three managers."""
    settings = load_settings(ROOT / "swarmkeeper.demo.yaml")
    manager: PoolSettings = settings.pools["managers"]
    slots = {
        name: manager.model_copy(update={"retain_state": RetainedState(zone=zone)}) for name, zone in ZONES.items()
    }
    pools = {**slots, **{name: pool for name, pool in settings.pools.items() if name != "managers"}}
    return settings.model_copy(update={"pools": pools})


@pytest.fixture(scope="module")
def slots(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return synthesised(with_slots(), tmp_path_factory.mktemp("slots"))


def of_pool(template: Template, kind: str, pool: str) -> dict[str, Any]:
    found = [
        each
        for each in template.of_type(kind).values()
        if {"Key": "swarmkeeper:pool", "Value": pool} in [{k: tag[k] for k in ("Key", "Value")} for tag in each["Tags"]]
    ]
    (one,) = found
    return one


def data_of(template: Template, pool: str) -> dict[str, Any]:
    launched = template.one("AWS::EC2::LaunchTemplate", LaunchTemplateName=f"demo-{pool}")
    return dict(launched["LaunchTemplateData"])


@pytest.mark.parametrize("pool", ZONES)
def test_a_slots_instance_is_born_with_the_slots_interface_which_has_the_groups(slots: Template, pool: str) -> None:
    (named,) = data_of(slots, pool)["NetworkInterfaces"]
    interface = of_pool(slots, "AWS::EC2::NetworkInterface", pool)
    (logical_id,) = [name for name, each in slots.of_type("AWS::EC2::NetworkInterface").items() if each == interface]
    assert named == {"DeviceIndex": 0, "NetworkInterfaceId": f"<{logical_id}.Id>"}
    assert "SecurityGroupIds" not in data_of(slots, pool)
    assert len(interface["GroupSet"]) == 2


@pytest.mark.parametrize(("pool", "zone"), ZONES.items())
def test_interface_volume_and_group_lie_in_one_zone(slots: Template, pool: str, zone: int) -> None:
    interface = of_pool(slots, "AWS::EC2::NetworkInterface", pool)
    subnet = slots.of_type("AWS::EC2::Subnet")[interface["SubnetId"].strip("<>")]
    volume = of_pool(slots, "AWS::EC2::Volume", pool)
    group = slots.one("AWS::AutoScaling::AutoScalingGroup", AutoScalingGroupName=f"demo-{pool}")
    assert group["AvailabilityZones"] == [subnet["AvailabilityZone"]] == [volume["AvailabilityZone"]]
    assert "VPCZoneIdentifier" not in group
    others = [of_pool(slots, "AWS::EC2::Volume", name)["AvailabilityZone"] for name, at in ZONES.items() if at != zone]
    assert volume["AvailabilityZone"] not in others


def test_the_volumes_are_encrypted_and_outlive_the_stack(slots: Template) -> None:
    volumes = slots.of_type("AWS::EC2::Volume")
    assert len(volumes) == len(ZONES)
    assert all(each["Encrypted"] is True for each in volumes.values())
    assert {slots.kept(name) for name in volumes} == {"Retain"}


@pytest.mark.parametrize("pool", ZONES)
def test_an_instance_may_attach_its_own_slots_volume_to_instances_of_the_fleet_alone(
    slots: Template, pool: str
) -> None:
    profile = data_of(slots, pool)["IamInstanceProfile"]["Arn"].strip("<>").removesuffix(".Arn")
    (role,) = slots.of_type("AWS::IAM::InstanceProfile")[profile]["Roles"]
    allowed = [each for each in slots.statements_of(role.strip("<>")) if "ec2:AttachVolume" in each.actions]
    volume = of_pool(slots, "AWS::EC2::Volume", pool)
    (logical_id,) = [name for name, each in slots.of_type("AWS::EC2::Volume").items() if each == volume]
    assert sorted(resource.rpartition(":")[2] for each in allowed for resource in each.resources) == [
        "instance/*",
        f"volume/<{logical_id}>",
    ]
    conditions = [each.conditions for each in allowed if each.resources[0].endswith("instance/*")]
    assert conditions == [{"StringEquals": {"aws:ResourceTag/swarmkeeper:fleet": "demo"}}]


def test_the_user_data_is_told_its_volume_and_that_of_others_none(slots: Template) -> None:
    for pool in ZONES:
        told = json.dumps(data_of(slots, pool)["UserData"])
        assert "VOLUME='<" in told
    assert PLACEHOLDER in json.dumps(data_of(slots, "workers")["UserData"])


def test_a_fleet_without_slots_has_none_of_it(template: Template) -> None:
    assert template.of_type("AWS::EC2::Volume") == {}
    assert template.of_type("AWS::EC2::NetworkInterface") == {}
    assert "ec2:AttachVolume" not in template.text
