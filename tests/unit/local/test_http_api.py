"""The HTTP API on this machine: what AWS's does with signatures, routes, limits and answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from local.aws.http_api import HttpApiFront
from local.aws.http_events import answer_of
from local.aws.server import CREDENTIALS, DEFAULT_REGION
from local.aws.throttling import Bucket
from tests.unit.local.test_deploy import ROLE, function, run
from tests.unit.local.wiring import Account

OWN = Credentials(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
ROUTES = ("GET /things/{name}", "GET /things/all", "POST /things")


@dataclass(frozen=True, slots=True)
class Answered:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: Any


def resources(*, rate: int = 1000, burst: int = 1000, permission: bool = True) -> dict[str, Any]:
    """A template's API with one function behind its routes."""
    made: dict[str, Any] = {
        "Role": ROLE,
        "Function": function("front", Handler="tiny.act"),
        "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "api", "ProtocolType": "HTTP"}},
        "Integration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Fn::GetAtt": ["Function", "Arn"]},
                "PayloadFormatVersion": "2.0",
            },
        },
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "StageName": "$default",
                "AutoDeploy": True,
                "DefaultRouteSettings": {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst},
                "AccessLogSettings": {
                    "DestinationArn": "arn:aws:logs:eu-central-1:123456789012:log-group:api",
                    "Format": '{"who": "$context.identity.userArn", "status": "$context.status", "x": "$context.y"}',
                },
            },
        },
    }
    if permission:
        made["Permission"] = {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]},
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*"},
            },
        }
    for number, key in enumerate(ROUTES):
        made[f"Route{number}"] = {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "RouteKey": key,
                "AuthorizationType": "AWS_IAM",
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]},
            },
        }
    return made


@dataclass
class Front:
    """An API that is served, and a client of it."""

    account: Account
    served: HttpApiFront

    def deploy(self, **changed: Any) -> None:
        path = self.account.folder / "tiny.py"
        assert path.exists()
        run(self.account, resources(**changed), api_endpoint=self.served.endpoint)

    def ask(
        self,
        method: str = "GET",
        path: str = "/things/a",
        *,
        body: bytes = b"",
        who: Credentials | None = OWN,
        service: str = "execute-api",
        region: str = DEFAULT_REGION,
        headers: dict[str, str] | None = None,
    ) -> Answered:
        request = AWSRequest(method=method, url=self.served.url + path, data=body, headers=headers or {})
        if who is not None:
            SigV4Auth(who, service, region).add_auth(request)
        return self.send(request)

    def send(self, request: AWSRequest) -> Answered:
        answer = URLLib3Session(timeout=30).send(request.prepare())
        text = answer.content
        is_json = "json" in answer.headers.get("content-type", "")
        return Answered(answer.status_code, dict(answer.headers), json.loads(text) if is_json else text)


@pytest.fixture
def front(account: Account) -> Iterator[Front]:
    served = HttpApiFront(account.server, account.functions, access_log=account.folder / "access.log")
    yield Front(account, served)
    served.stop()


def test_a_signed_request_reaches_its_function_as_the_caller(front: Front) -> None:
    front.deploy()
    answered = front.ask(path="/things/a%20b?x=1&x=2&y=", headers={"Idempotency-Key": "k"})
    event = answered.body
    assert answered.status == 200
    assert (event["version"], event["routeKey"]) == ("2.0", "GET /things/{name}")
    assert event["pathParameters"] == {"name": "a b"}
    assert (event["rawQueryString"], event["queryStringParameters"]) == ("x=1&x=2&y=", {"x": "1,2", "y": ""})
    assert event["headers"]["idempotency-key"] == "k"
    assert event["requestContext"]["authorizer"]["iam"]["userArn"] == "arn:aws:iam::123456789012:user/local"


def test_a_roles_session_is_known_by_its_own_arn(front: Front) -> None:
    front.deploy()
    role = f"arn:aws:iam::{front.account.server.account}:role/acme-web"
    given = front.account.server.client("sts").assume_role(RoleArn=role, RoleSessionName="web")["Credentials"]
    who = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    event = front.ask(who=who).body
    arn = "arn:aws:sts::123456789012:assumed-role/acme-web/web"
    assert event["requestContext"]["authorizer"]["iam"]["userArn"] == arn
    assert front.ask(who=Credentials(who.access_key, who.secret_key, "another token")).status == 403


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"who": None}, id="unsigned"),
        pytest.param({"who": Credentials(OWN.access_key, "another secret")}, id="another secret"),
        pytest.param({"who": Credentials("AKIANOBODY", OWN.secret_key)}, id="unknown key"),
        pytest.param({"service": "lambda"}, id="signed for another service"),
        pytest.param({"region": "us-east-1"}, id="signed for another region"),
    ],
)
def test_a_request_that_is_not_rightly_signed_is_forbidden_and_runs_nothing(
    front: Front, asked: dict[str, Any]
) -> None:
    front.deploy()
    answered = front.ask(**asked)
    assert (answered.status, answered.body) == (403, {"message": "Forbidden"})


def changed(request: AWSRequest, what: str) -> AWSRequest:
    if what == "body":
        request.data = b'{"b": 2}'
    elif what == "path":
        request.url = f"{request.url}/all"
        request.method = "GET"
    elif what == "query":
        request.url = f"{request.url}?more=1"
    return request


@pytest.mark.parametrize("what", ["body", "path", "query"])
def test_a_request_that_was_changed_on_its_way_is_forbidden(front: Front, what: str) -> None:
    front.deploy()
    request = AWSRequest(method="POST", url=front.served.url + "/things", data=b'{"a": 1}')
    SigV4Auth(OWN, "execute-api", DEFAULT_REGION).add_auth(request)
    assert front.send(changed(request, what)).status == 403


def test_an_old_request_is_forbidden(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    front.deploy()
    old = datetime.now(UTC) - timedelta(minutes=6)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: old.replace(tzinfo=None))
    assert front.ask().status == 403


def test_the_most_specific_route_is_taken_and_an_unknown_one_not_found(front: Front) -> None:
    front.deploy()
    assert front.ask(path="/things/all").body["routeKey"] == "GET /things/all"
    assert front.ask(path="/nothing").status == 404
    assert front.ask("DELETE", "/things/a").status == 404


@pytest.mark.parametrize(
    ("kind", "is_text"), [("application/json", True), ("text/plain", True), ("application/octet-stream", False)]
)
def test_a_body_is_text_or_base64_by_its_type(front: Front, kind: str, is_text: bool) -> None:
    front.deploy()
    event = front.ask("POST", "/things", body=b'{"a": 1}', headers={"Content-Type": kind}).body
    body = event["body"].encode() if is_text else base64.b64decode(event["body"])
    assert (event["isBase64Encoded"], body) == (not is_text, b'{"a": 1}')


def test_a_function_that_fails_is_an_internal_error(front: Front) -> None:
    front.deploy()
    broken = replace(front.account.functions.functions()[0], handler="tiny.fails")
    front.account.functions.register(broken)
    answered = front.ask()
    assert (answered.status, answered.body) == (500, {"message": "Internal Server Error"})


def test_a_function_that_takes_too_long_is_unavailable(account: Account) -> None:
    served = HttpApiFront(account.server, account.functions, limit_s=0.05)
    front = Front(account, served)
    front.deploy()
    hanging = replace(account.functions.functions()[0], handler="tiny.hangs", timeout_s=1.0)
    (account.folder / "tiny.py").write_text("import time\ndef hangs(event, context):\n    time.sleep(600)\n")
    account.functions.register(hanging)
    assert front.ask().status == 503
    served.stop()


def test_without_permission_for_the_api_the_function_does_not_run(front: Front) -> None:
    front.deploy(permission=False)
    assert front.ask().status == 500


def test_a_body_of_more_than_ten_mebibytes_is_refused(front: Front) -> None:
    front.deploy()
    assert front.ask("POST", "/things", body=b"x" * (10 * 2**20 + 1)).status == 413


def test_requests_beyond_the_stages_burst_are_told_to_come_later(front: Front) -> None:
    front.deploy(rate=0, burst=2)
    assert [front.ask().status for _ in range(3)] == [200, 200, 429]


def test_a_bucket_fills_at_the_rate_up_to_the_burst() -> None:
    now = [0.0]
    bucket = Bucket(lambda: now[0])
    settings = {"throttlingRateLimit": 2, "throttlingBurstLimit": 3}
    assert [bucket.take(settings) for _ in range(4)] == [True, True, True, False]
    now[0] = 0.5
    assert [bucket.take(settings) for _ in range(2)] == [True, False]
    now[0] = 100.0
    assert [bucket.take(settings) for _ in range(4)] == [True, True, True, False]


def test_each_request_is_a_line_of_the_access_log_in_the_stages_format(front: Front) -> None:
    front.deploy()
    front.ask()
    front.ask(who=None)
    lines = [json.loads(line) for line in (front.account.folder / "access.log").read_text().splitlines()]
    assert lines == [
        {"who": "arn:aws:iam::123456789012:user/local", "status": "200", "x": "-"},
        {"who": "-", "status": "403", "x": "-"},
    ]


@pytest.mark.parametrize(
    ("value", "status", "kind", "body"),
    [
        pytest.param({"statusCode": 201, "body": "x"}, 201, "text/plain;charset=UTF-8", b"x", id="text"),
        pytest.param(
            {"statusCode": 200, "body": "AP8=", "isBase64Encoded": True, "headers": {"Content-Type": "a/b"}},
            200,
            "a/b",
            b"\x00\xff",
            id="base64",
        ),
        pytest.param({"a": 1}, 200, "application/json", b'{"a": 1}', id="no status"),
    ],
)
def test_what_a_function_returns_becomes_an_answer(value: object, status: int, kind: str, body: bytes) -> None:
    answer = answer_of(json.dumps(value).encode())
    assert (answer.status, answer.headers["content-type"], answer.body) == (status, kind, body)


def test_a_second_api_is_refused(front: Front) -> None:
    front.deploy()
    front.account.server.client("apigatewayv2").create_api(Name="two", ProtocolType="HTTP")
    with pytest.raises(ValueError, match="only one"):
        front.served.endpoint("two")
