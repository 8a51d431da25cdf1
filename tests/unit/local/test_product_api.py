"""The product's own API from its synthesised template: gateway, permission, function, table; no nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from infra.stack import FleetStack
from local.aws.deploy import Deployed
from local.aws.server import CREDENTIALS, AwsServer
from local.standalone import standing_alone
from local.starter import project_root
from swarmkeeper.cli.api import Api, Refused, Signer, over_http
from swarmkeeper.edge.openapi import openapi_text
from swarmkeeper.edge.routes import ROUTES
from swarmkeeper.edge.settings import load_settings
from tests.infra.template import Template

REQUEST = {"Name": "web-1", "Image": "nginx", "HostConfig": {"Memory": 2**26}}
ROLE = "arn:aws:iam::123456789012:role/acme-web"
SETTINGS = """
tenants:
  known:
    acme: {principals: ["arn:aws:iam::123456789012:role/acme-*"], quota: {containers: 2}}
"""


@dataclass(frozen=True, slots=True)
class Product:
    """What is served, and where."""

    server: AwsServer
    url: str
    deployed: Deployed

    def as_user(self) -> Api:
        credentials = Credentials(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
        return Api(self.url, over_http(Signer(credentials, self.server.region)))

    def as_role(self, arn: str) -> Api:
        given = self.server.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        credentials = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return Api(self.url, over_http(Signer(credentials, self.server.region)))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of the template that the API and what it needs are, with its assets beside it."""
    folder = tmp_path_factory.mktemp("cdk")
    profile = folder / "swarmkeeper.yaml"
    profile.write_text((project_root() / "swarmkeeper.demo.yaml").read_text() + SETTINGS)
    app = App(outdir=str(folder / "out"), analytics_reporting=False)
    stack = FleetStack(app, load_settings(profile))
    app.synth()
    path = folder / "out" / stack.template_file
    document = json.loads(path.read_text(encoding="utf-8"))
    document["Resources"] = _needed(document)
    document["Outputs"] = {"ApiUrl": document["Outputs"]["ApiUrl"]}
    path.write_text(json.dumps(document))
    return path


def _needed(document: dict[str, Any]) -> dict[str, Any]:
    whole = Template(document)
    kinds = ("AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Stage", "AWS::DynamoDB::Table", "AWS::SSM::Parameter")
    wanted = {name for kind in kinds for name in whole.of_type(kind)}
    function = whole.name_of("AWS::Lambda::Function", FunctionName="demo-placement")
    alias = f"<{whole.name_of('AWS::Lambda::Alias', FunctionName=f'<{function}>')}>"
    permissions = whole.of_type("AWS::Lambda::Permission").items()
    wanted |= {name for name, each in permissions if each["FunctionName"] == alias and "execute-api" in str(each)}
    needed = wanted.union(*map(whole.waits_for, wanted))
    resources: dict[str, Any] = document["Resources"]
    return {name: body for name, body in resources.items() if name in needed}


@pytest.fixture(scope="module")
def product(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("cloud")
    with standing_alone(template, folder) as alone:
        yield Product(alone.server, alone.url, alone.deployed)


@pytest.fixture
def api(product: Product) -> Iterator[Api]:
    """The API as an operator uses it; no container is left."""
    one = product.as_user()
    yield one
    for container in list(one.containers()):
        one.remove(container["name"])


def test_the_output_is_where_it_is_served(product: Product) -> None:
    assert product.deployed.outputs["ApiUrl"] == product.url


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.key)
def test_no_route_answers_to_what_is_not_signed(product: Product, route: Any) -> None:
    request = AWSRequest(method=route.method, url=product.url + route.path.replace("{name}", "web-1"))
    answer = URLLib3Session(timeout=30).send(request.prepare())
    assert (answer.status_code, json.loads(answer.content)) == (403, {"message": "Forbidden"})


def test_a_request_waits_is_listed_and_removed(api: Api) -> None:
    made = api.create(REQUEST, token="k-1")
    assert (made["state"], made["node"]) == ("pending", None)
    assert made["reason"]
    assert api.create(REQUEST, token="k-1") == made
    assert api.container("web-1") == made
    assert list(api.containers([("state", "pending"), ("name", "web-")])) == [made]
    assert api.remove("web-1")["name"] == "web-1"
    with pytest.raises(Refused, match="404"):
        api.container("web-1")


def test_a_key_for_another_body_is_refused(api: Api) -> None:
    api.create(REQUEST, token="k-2")
    with pytest.raises(Refused, match="422"):
        api.create(REQUEST | {"Name": "web-2"}, token="k-2")


def test_listings_come_in_pages_from_the_real_table(api: Api) -> None:
    for number in range(3):
        api.create(REQUEST | {"Name": f"web-{number}"})
    names: list[str] = []
    position: str | None = ""
    while position is not None:
        page = api._ask("GET", "/containers", query=[("limit", "1"), *([("next", position)] if position else [])]).value
        assert len(page["containers"]) <= 1
        names += [each["name"] for each in page["containers"]]
        position = page["next"]
    assert sorted(names) == ["web-0", "web-1", "web-2"]


def test_a_role_is_bound_to_its_tenant_and_its_quota(product: Product, api: Api) -> None:
    acme = product.as_role(ROLE)
    api.create(REQUEST)
    made = [acme.create(REQUEST | {"Name": f"acme-{number}"}) for number in range(2)]
    assert {each["tenant"] for each in made} == {"acme"}
    with pytest.raises(Refused, match="acme uses 2 of 2 containers"):
        acme.create(REQUEST | {"Name": "acme-2"})
    assert sorted(each["name"] for each in acme.containers()) == ["acme-0", "acme-1"]
    with pytest.raises(Refused, match="404"):
        acme.remove("web-1")
    with pytest.raises(Refused, match="may not act for"):
        api.create(REQUEST | {"Name": "web-2", "Labels": {"swarmkeeper.tenant": "acme"}})
    for name in ("acme-0", "acme-1"):
        acme.remove(name)


def test_what_no_pool_could_hold_and_what_is_not_allowed_is_refused_with_its_reason(api: Api) -> None:
    with pytest.raises(Refused, match="no node could ever hold it"):
        api.create(REQUEST | {"HostConfig": {"NanoCpus": 64 * 10**9}})
    with pytest.raises(Refused, match=r"HostConfig\.Privileged: .*not allowed"):
        api.create(REQUEST | {"HostConfig": {"Privileged": True}})


def test_the_document_is_served(api: Api) -> None:
    assert api._ask("GET", "/openapi.json").content.decode() == openapi_text()


def test_direct_invocation_stays(product: Product, api: Api) -> None:
    client = product.server.client("lambda")
    api.create(REQUEST)
    answer = client.invoke(FunctionName="demo-placement:live", Payload=json.dumps({"action": "list"}))["Payload"].read()
    assert [each["name"] for each in json.loads(answer)["containers"]] == ["web-1"]
