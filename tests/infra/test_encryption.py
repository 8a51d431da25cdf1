"""A key of the customer's: what it encrypts, and who may use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swarmkeeper.edge.settings import SettingsError
from tests.infra.conftest import ROOT, synthesised
from tests.infra.template import Template
from tests.infra.test_account import settings_with

GIVEN = "arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
SHARED = "\nvolumes: {shared: {kind: efs}}\n"
TOKEN = "arn:aws:ssm:eu-central-1:123456789012:parameter/demo/join-token"
KEY_FIELDS = {
    "AWS::EFS::FileSystem": ("KmsKeyId",),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::EC2::LaunchTemplate": ("LaunchTemplateData", "BlockDeviceMappings", 0, "Ebs", "KmsKeyId"),
}
"""Where each kind of resource names its key."""


def with_key(key: str, folder: Path) -> Template:
    return synthesised(settings_with(f"\naccount: {{key: {key!r}}}\n{SHARED}", folder), folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return with_key("made", tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return with_key(GIVEN, tmp_path_factory.mktemp("given"))


def made_key(template: Template) -> str:
    return f"<{template.name_of('AWS::KMS::Key')}.Arn>"


def key_named(properties: dict[str, Any], field: tuple[str | int, ...]) -> object:
    value: Any = properties
    for step in field:
        value = value.get(step) if isinstance(step, str) else value[step]
        if value is None:
            return None
    return value


@pytest.mark.parametrize(("kind", "field"), KEY_FIELDS.items())
def test_all_that_a_fleet_keeps_is_encrypted_with_the_key(
    made: Template, given: Template, kind: str, field: tuple[str | int, ...]
) -> None:
    for template, key in ((made, made_key(made)), (given, GIVEN)):
        named = [key_named(each, field) for each in template.of_type(kind).values()]
        assert named
        assert set(named) == {key}


@pytest.mark.parametrize(("kind", "field"), KEY_FIELDS.items())
def test_without_the_setting_they_are_encrypted_with_keys_of_awss(
    template: Template, kind: str, field: tuple[str | int, ...]
) -> None:
    assert {key_named(each, field) for each in template.of_type(kind).values()} <= {None}
    assert not template.of_type("AWS::KMS::Key")


def test_a_queue_has_one_kind_of_encryption(made: Template) -> None:
    assert not any("SqsManagedSseEnabled" in queue for queue in made.of_type("AWS::SQS::Queue").values())


def test_a_key_of_the_fleets_own_is_renewed_and_outlives_the_stack(made: Template) -> None:
    assert made.one("AWS::KMS::Key")["EnableKeyRotation"] is True
    assert made.kept(made.name_of("AWS::KMS::Key")) == "RetainExceptOnCreate"


def test_a_given_key_is_used_and_none_is_made(given: Template) -> None:
    assert not given.of_type("AWS::KMS::Key")


@pytest.mark.parametrize(
    ("function", "services"),
    [
        ("placement", {"dynamodb", "sqs", "secretsmanager"}),
        ("scaler", {"dynamodb", "sqs"}),
        ("registrar", {"dynamodb", "sqs", "secretsmanager", "ssm"}),
        ("reconciler", {"dynamodb", "sqs", "secretsmanager"}),
    ],
)
def test_a_function_uses_the_key_through_the_services_that_it_calls(
    given: Template, function: str, services: set[str]
) -> None:
    role = given.role_of_function(f"demo-{function}")
    (statement,) = (each for each in given.statements_of(role) if "kms:Decrypt" in each.actions)
    assert statement.resources == (GIVEN,)
    through = {f"{service}.eu-central-1.amazonaws.com" for service in services}
    assert set(statement.conditions["StringEquals"]["kms:ViaService"]) == through
    assert not {"kms:CreateGrant", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"} & set(statement.actions)


@pytest.mark.parametrize("role", ["worker", "manager"])
def test_a_node_opens_its_own_roles_token_with_the_key_and_nothing_else(given: Template, role: str) -> None:
    node = given.role_of_pool(f"demo-{role}s")
    (statement,) = (each for each in given.statements_of(node) if any(one.startswith("kms:") for one in each.actions))
    assert (statement.actions, statement.resources) == (("kms:Decrypt",), (GIVEN,))
    assert statement.conditions["StringEquals"] == {
        "kms:ViaService": "ssm.eu-central-1.amazonaws.com",
        "kms:EncryptionContext:PARAMETER_ARN": f"{TOKEN}/{role}",
    }


def test_the_registrar_is_told_the_key_for_the_tokens_that_it_writes(made: Template, template: Template) -> None:
    variables = made.one("AWS::Lambda::Function", FunctionName="demo-registrar")["Environment"]["Variables"]
    assert variables["SWARMKEEPER_KEY"] == made_key(made)
    without = template.one("AWS::Lambda::Function", FunctionName="demo-registrar")["Environment"]["Variables"]
    assert "SWARMKEEPER_KEY" not in without


def test_the_policy_that_the_documents_ask_of_your_own_key_is_that_of_the_made_one(made: Template) -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    told = json.loads(page.partition("```json\n")[2].partition("```")[0])
    statements = made.one("AWS::KMS::Key")["KeyPolicy"]["Statement"]
    assert told == [each for each in statements if "Sid" in each]


def test_services_use_the_key_and_only_auto_scaling_gives_it_on(made: Template) -> None:
    statements = {each["Sid"]: each for each in made.one("AWS::KMS::Key")["KeyPolicy"]["Statement"] if "Sid" in each}
    granting = [sid for sid, each in statements.items() if "kms:CreateGrant" in each["Action"]]
    assert granting == ["DisksOfInstances"]
    for sid in ("Disks", "DisksOfInstances"):  # their principal is everybody
        assert statements[sid]["Condition"]["ArnEquals"] == {
            "aws:PrincipalArn": "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/"
            "AWSServiceRoleForAutoScaling"
        }


@pytest.mark.parametrize("key", ["alias/mine", "arn:aws:kms:eu-central-1:123456789012:alias/mine", "own"])
def test_what_is_no_keys_arn_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"account\.key"):
        settings_with(f"\naccount: {{key: {key!r}}}\n", tmp_path)
