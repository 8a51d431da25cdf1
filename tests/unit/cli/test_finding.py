"""Which fleet a command talks to, and with whose credentials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSRequest
from moto import mock_aws

from local import starter
from local.starter import Cloud
from swarmkeeper.cli import finding
from swarmkeeper.cli.api import Api, ApiError, Signer
from swarmkeeper.cli.finding import find_api

LOCAL = Cloud(
    pid=1,
    fleet="demo",
    engines="simulated",
    endpoint_url="http://127.0.0.1:1",
    api_url="http://127.0.0.1:2",
    region="eu-central-1",
    settings="",
    state_dir="",
    started_at=0.0,
    access_key_id="AKIALOCAL",
    secret_access_key="secret",
)
ON_AWS = "https://a1b2c3.execute-api.eu-west-3.amazonaws.com"
TEMPLATE = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"ApiUrl": {"Value": "%s"}}}'


@pytest.fixture(autouse=True)
def users_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Signer]]:
    """A user with credentials and no local cloud; keeps who would sign."""
    signers: dict[str, Signer] = {}
    for name in ("SWARMKEEPER_FLEET", "SWARMKEEPER_API", "AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAUSER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")
    monkeypatch.setattr(starter, "running_cloud", lambda: None)

    def kept(signer: Signer, **_: Any) -> object:
        signers["last"] = signer
        return lambda request: (200, {}, b"")

    monkeypatch.setattr(finding, "over_http", kept)
    yield signers


def test_the_local_cloud_is_used_when_it_runs(
    monkeypatch: pytest.MonkeyPatch, users_environment: dict[str, Signer]
) -> None:
    monkeypatch.setattr(starter, "running_cloud", lambda: LOCAL)
    assert find_api().url == LOCAL.api_url
    assert find_api("demo").url == LOCAL.api_url
    assert users_environment["last"].credentials.access_key == "AKIALOCAL"


def test_another_fleet_is_looked_up_although_a_local_cloud_runs(
    monkeypatch: pytest.MonkeyPatch, users_environment: dict[str, Signer]
) -> None:
    monkeypatch.setattr(starter, "running_cloud", lambda: LOCAL)
    with mock_aws():
        boto3.client("cloudformation").create_stack(StackName="swarmkeeper-prod", TemplateBody=TEMPLATE % ON_AWS)
        assert find_api("prod").url == ON_AWS
    signer = users_environment["last"]
    assert signer.region == "eu-west-3"
    assert signer.credentials.access_key != LOCAL.access_key_id


def test_an_address_needs_no_stack(monkeypatch: pytest.MonkeyPatch, users_environment: dict[str, Signer]) -> None:
    monkeypatch.setenv("SWARMKEEPER_API", "https://fleet.example/api")
    assert find_api().url == "https://fleet.example/api"
    assert users_environment["last"].region == "us-east-2"
    assert find_api(None, ON_AWS).url == ON_AWS


def test_the_local_clouds_own_address_is_signed_with_its_own_credentials(
    monkeypatch: pytest.MonkeyPatch, users_environment: dict[str, Signer]
) -> None:
    monkeypatch.setattr(starter, "running_cloud", lambda: LOCAL)
    find_api(None, LOCAL.api_url)
    assert users_environment["last"].credentials.access_key == "AKIALOCAL"
    find_api(None, ON_AWS)
    assert users_environment["last"].credentials.access_key == "AKIAUSER"


@pytest.mark.parametrize(
    ("fleet", "told"),
    [
        pytest.param(None, "name a fleet with --fleet", id="none named"),
        pytest.param("prod", "swarmkeeper-prod can't be described", id="no such stack"),
        pytest.param("old", "has no output ApiUrl", id="a stack without an API"),
    ],
)
def test_a_fleet_that_can_not_be_found_is_told(fleet: str | None, told: str) -> None:
    with mock_aws():
        without = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
        boto3.client("cloudformation").create_stack(StackName="swarmkeeper-old", TemplateBody=without)
        with pytest.raises(ApiError, match=told):
            find_api(fleet)


def test_a_request_is_signed_for_the_api() -> None:
    from botocore.credentials import Credentials

    request = AWSRequest(method="GET", url=f"{ON_AWS}/nodes")
    Signer(Credentials("AKIAUSER", "secret"), "eu-west-3").sign(request)
    assert "/eu-west-3/execute-api/aws4_request" in str(dict(request.headers)["Authorization"])


def test_a_space_in_a_query_is_not_sent_as_a_plus_sign() -> None:
    sent: list[AWSRequest] = []

    def send(request: AWSRequest) -> tuple[int, dict[str, str], bytes]:
        sent.append(request)
        return 200, {}, b'{"containers": [], "next": null}'

    list(Api(ON_AWS, send).containers([("label", "team=a b+c")]))
    assert "label=team%3Da%20b%2Bc" in str(sent[0].url)
