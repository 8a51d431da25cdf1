"""Nodes and the fleet's own registry: they know of it, and may read how to log in, only where there is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks
from cfnlint.api import lint_file  # type: ignore[import-untyped]  # it ships no types

from infra.stack import FleetStack
from swarmkeeper.edge.settings import Settings, SettingsError, load_settings
from tests.infra.conftest import ROOT, synthesised
from tests.infra.template import Template
from tests.infra.test_cfn_lint import CDKS_OWN
from tests.infra.test_nodes import assert_checks_every_parameter_and_fits

IMAGE = f"registry.example.com/registry@sha256:{'a' * 64}"
REGISTRY = "registry.example.com:5000"
PARAMETER = "arn:aws:ssm:eu-central-1:123456789012:parameter/demo/registry/{}"
POOLS = ("workers", "managers")


def demo_settings(**images: object) -> Settings:
    found = load_settings(ROOT / "swarmkeeper.demo.yaml")
    return found.model_copy(update={"images": found.images.model_copy(update=images)})


@pytest.fixture(scope="module")
def with_registry(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A fleet with a registry of its own."""
    return synthesised(demo_settings(registry=REGISTRY), tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("host")


@pytest.fixture(scope="module")
def with_host(folder: Path) -> Template:
    """A fleet whose stack makes what the registry's host needs."""
    return synthesised(demo_settings(registry=REGISTRY, registry_host=IMAGE), folder)


def of_the_registry(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in template.of_type(kind).items() if name.startswith("Registry")}


def script(template: Template, name: str) -> str:
    document = template.one("AWS::SSM::Document", Name=f"demo-{name}")
    return json.dumps(document["Content"])


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(("name", "may"), [("ca", True), ("pull", True), ("push", False)])
def test_a_node_reads_how_to_log_in_and_nothing_beside_it(
    template: Template, with_registry: Template, pool: str, name: str, may: bool
) -> None:
    def reads(where: Template) -> bool:
        return where.may(where.role_of_pool(f"demo-{pool}"), "ssm:GetParameters", PARAMETER.format(name))

    assert (reads(with_registry), reads(template)) == (may, False)


@pytest.mark.parametrize("name", ["node-pull", "node-join"])
def test_the_documents_that_pull_are_told_of_the_registry(
    template: Template, with_registry: Template, name: str
) -> None:
    assert f"REGISTRY='{REGISTRY}'" in script(with_registry, name)
    assert "REGISTRY_PARAMETERS='/demo/registry'" in script(with_registry, name)
    assert "REGISTRY=''" in script(template, name)


def test_functions_are_told_where_layers_are_saved_and_nothing_of_the_registrys_host() -> None:
    text = demo_settings(registry=REGISTRY, registry_host=IMAGE).to_json()
    assert REGISTRY in text
    assert IMAGE not in text


SAVE = "arn:aws:ssm:eu-central-1:123456789012:document/demo-node-save"


def test_layers_are_saved_only_where_there_is_a_registry(template: Template, with_registry: Template) -> None:
    names = {document["Name"] for document in template.of_type("AWS::SSM::Document").values()}
    assert "demo-node-save" not in names
    assert f"REGISTRY='{REGISTRY}'" in script(with_registry, "node-save")
    assert_checks_every_parameter_and_fits(with_registry.one("AWS::SSM::Document", Name="demo-node-save")["Content"])


@pytest.mark.parametrize("function", ["registrar", "placement", "scaler", "reconciler"])
def test_the_registrar_alone_has_layers_saved(template: Template, with_registry: Template, function: str) -> None:
    def sends(where: Template) -> bool:
        return where.may(where.role_of_function(f"demo-{function}"), "ssm:SendCommand", SAVE)

    assert (sends(with_registry), sends(template)) == (function == "registrar", False)


def test_the_end_of_a_save_is_told_to_the_registrar(template: Template, with_registry: Template) -> None:
    def told(where: Template) -> set[str]:
        rule = where.one("AWS::Events::Rule", Name="demo-commands")
        return set(rule["EventPattern"]["detail"]["document-name"])

    assert told(with_registry) - told(template) == {"demo-node-save"}


@pytest.mark.parametrize(
    "address",
    ["registry", "https://registry.example.com", "registry.example.com/base", "r.x:y", "docker.io", "index.docker.io"],
)
def test_an_address_that_an_image_reference_could_not_begin_with_is_refused(address: str, tmp_path: Path) -> None:
    text = (ROOT / "swarmkeeper.demo.yaml").read_text() + f"\nimages: {{registry: '{address}'}}\n"
    file = tmp_path / "swarmkeeper.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"images\.registry"):
        load_settings(file)


@pytest.mark.parametrize("address", ["", "registry: registry.example.com, ", "registry: 'registry.example.com:443', "])
def test_a_host_without_an_address_that_nobody_can_listen_at_is_refused(address: str, tmp_path: Path) -> None:
    file = tmp_path / "swarmkeeper.yaml"
    file.write_text((ROOT / "swarmkeeper.demo.yaml").read_text() + f"\nimages: {{{address}registry_host: '{IMAGE}'}}\n")
    with pytest.raises(SettingsError, match=r"images\.registry_host: goes with registry, whose port is 1024"):
        load_settings(file)


def test_images_are_kept_private_and_outlive_the_stack(with_host: Template) -> None:
    [(name, bucket)] = of_the_registry(with_host, "AWS::S3::Bucket").items()
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["LifecycleConfiguration"]["Rules"] == [
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}, "Status": "Enabled"}
    ]
    assert with_host.kept(name) == "Retain"
    [policy] = of_the_registry(with_host, "AWS::S3::BucketPolicy").values()
    [refused] = policy["PolicyDocument"]["Statement"]
    assert (refused["Effect"], refused["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


@pytest.mark.parametrize(
    ("action", "resource", "may"),
    [
        ("s3:PutObject", "<RegistryImages.Arn>/registry/docker/x", True),
        ("s3:PutObject", "<RegistryImages.Arn>/elsewhere", False),
        ("s3:DeleteBucket", "<RegistryImages.Arn>", False),
        ("ssm:GetParameter", PARAMETER.format("x").replace("registry/x", "registry-host/tls.key"), True),
        ("ssm:GetParameter", PARAMETER.format("x").replace("registry/x", "join-token/manager"), False),
    ],
)
def test_the_host_opens_its_bucket_and_its_secrets_alone(
    with_host: Template, action: str, resource: str, may: bool
) -> None:
    [bucket] = of_the_registry(with_host, "AWS::S3::Bucket")
    [profile] = of_the_registry(with_host, "AWS::IAM::InstanceProfile").values()
    role = next(each for each in with_host.roles() if each.startswith("RegistryRole"))
    assert profile["Roles"] == [f"<{role}>"]
    assert with_host.may(role, action, resource.replace("RegistryImages", bucket)) is may


def test_no_node_reads_the_registrys_own_secrets(with_host: Template) -> None:
    key = PARAMETER.format("x").replace("registry/x", "registry-host/tls.key")
    assert not any(with_host.may(with_host.role_of_pool(f"demo-{pool}"), "ssm:GetParameter", key) for pool in POOLS)


def test_nodes_reach_the_registrys_port_and_nobody_else_does(with_host: Template) -> None:
    opened = [
        (each["FromPort"], each["ToPort"], each["SourceSecurityGroupId"])
        for each in with_host.of_type("AWS::EC2::SecurityGroupIngress").values()
        if each["GroupId"].startswith("<RegistryHost")
    ]
    assert [(first, last) for first, last, _ in opened] == [(5000, 5000)]
    assert opened[0][2].startswith("<NetworkNodes")


def test_whatever_bears_the_tag_is_made_the_registrys_host(with_host: Template) -> None:
    [runs] = with_host.of_type("AWS::SSM::Association").values()
    assert runs["Targets"] == [{"Key": "tag:swarmkeeper:registry", "Values": ["demo"]}]
    up = script(with_host, "registry-up")
    assert "REGISTRY_STORAGE='s3'" in up
    assert "REGISTRY_PORT='5000'" in up
    assert "gc.sh" in script(with_host, "registry-gc")


def test_cfn_lint_finds_nothing_in_it(with_host: Template, folder: Path) -> None:
    [file] = (folder / "cdk").glob("*.template.json")
    assert [f"{each.rule.id} {each.message}" for each in lint_file(file) if each.rule.id not in CDKS_OWN] == []


def test_cdk_nag_finds_nothing_that_is_not_acknowledged(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path), analytics_reporting=False)
    FleetStack(app, demo_settings(registry=REGISTRY, registry_host=IMAGE))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()
