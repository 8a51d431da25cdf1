"""A load balancer in front of a function on this machine: the event, the answers, and what it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.httpsession import URLLib3Session

from local.aws.balancers import BalancerFront, answer_of, event_of, function_listeners
from local.aws.deploy import DeployError
from local.aws.http_front import at_loopback
from local.aws.invocations import Outcome
from local.aws.signatures import Signed
from tests.functions.recorded import recorded
from tests.unit.local.test_deploy import ROLE, function, run
from tests.unit.local.wiring import Account

PORT = 8081
SOURCE = "arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup"


def resources(*, permitted: str = "front", alias_permitted: bool = True) -> dict[str, Any]:
    """A template's load balancer with a function's alias behind its listener."""
    of = "AWS::ElasticLoadBalancingV2::"
    return {
        "Role": ROLE,
        "Function": function("front", Handler="tiny.act"),
        "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "Name": "live",
                "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
            },
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Alias"} if alias_permitted else {"Fn::GetAtt": ["Function", "Arn"]},
                "Principal": "elasticloadbalancing.amazonaws.com",
                "SourceArn": {"Fn::Sub": f"{SOURCE}/{permitted}/*"},
            },
        },
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.42.0.0/16"}},
        **{
            f"Subnet{zone}": {
                "Type": "AWS::EC2::Subnet",
                "Properties": {
                    "VpcId": {"Ref": "Vpc"},
                    "CidrBlock": f"10.42.{zone}.0/24",
                    "AvailabilityZone": {"Fn::Select": [zone, {"Fn::GetAZs": ""}]},
                },
            }
            for zone in (0, 1)
        },
        "Balancer": {
            "Type": f"{of}LoadBalancer",
            "Properties": {"Name": "front", "Scheme": "internal", "Subnets": [{"Ref": "Subnet0"}, {"Ref": "Subnet1"}]},
        },
        "Group": {
            "Type": f"{of}TargetGroup",
            "DependsOn": ["Permission"],
            "Properties": {"Name": "front", "TargetType": "lambda", "Targets": [{"Id": {"Ref": "Alias"}}]},
        },
        "Listener": {
            "Type": f"{of}Listener",
            "Properties": {
                "LoadBalancerArn": {"Ref": "Balancer"},
                "Port": PORT,
                "Protocol": "HTTP",
                "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}],
            },
        },
    }


@dataclass
class Front:
    """A load balancer that is served, and a client of it."""

    account: Account
    served: list[BalancerFront] = field(default_factory=list)

    def deploy(self, **changed: Any) -> None:
        run(self.account, resources(**changed))
        (listener,) = function_listeners(self.account.server)
        self.served = [BalancerFront(self.account.server, self.account.functions, listener, at_loopback())]

    def ask(
        self,
        path: str = "/web-1",
        method: str = "GET",
        data: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> AWSResponse:
        request = AWSRequest(method=method, url=self.served[0].url + path, data=data, headers=headers or {})
        answer: AWSResponse = URLLib3Session(timeout=30).send(request.prepare())
        return answer


@pytest.fixture
def front(account: Account) -> Iterator[Front]:
    made = Front(account)
    yield made
    for each in made.served:
        each.stop()


def test_what_the_template_says_is_found_by_its_name_and_port(front: Front) -> None:
    front.deploy()
    (listener,) = function_listeners(front.account.server)
    assert listener.port == PORT
    assert listener.name.startswith("front-")
    assert listener.name.endswith(".elb.amazonaws.com")
    assert listener.target_group.partition(":targetgroup/")[2].startswith("front/")
    assert listener.function.endswith(":function:front:live")


def test_a_function_gets_a_load_balancers_event_and_its_answer_is_the_clients(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.deploy()
    events = []

    def invoke(function: str, payload: bytes) -> Outcome:
        events.append((function, json.loads(payload)))
        told = {"statusCode": 200, "headers": {"Swarmkeeper-Node": "i-0a"}, "body": "", "isBase64Encoded": False}
        return Outcome(json.dumps(told).encode(), "")

    monkeypatch.setattr(front.account.functions, "invoke", invoke)
    answer = front.ask("/web%2D1?a=%20&a=2&b", headers={"X-Some": "thing", "X-Forwarded-For": "10.42.0.9"})
    ((called, event),) = events
    (listener,) = function_listeners(front.account.server)
    assert (answer.status_code, answer.headers["Swarmkeeper-Node"], answer.content) == (200, "i-0a", b"")
    assert called == listener.function
    assert event.keys() == recorded("locate").keys()
    assert event["headers"].keys() >= recorded("locate")["headers"].keys() - {"accept", "user-agent"}
    assert event["requestContext"] == {"elb": {"targetGroupArn": listener.target_group}}
    assert (event["httpMethod"], event["path"]) == ("GET", "/web%2D1")  # as it came
    assert event["queryStringParameters"] == {"a": "2", "b": ""}
    assert event["headers"]["x-some"] == "thing"
    assert event["headers"]["x-forwarded-for"] == "10.42.0.9, 127.0.0.1"
    assert event["headers"]["x-forwarded-port"] == str(PORT)


def test_the_function_itself_is_run(front: Front) -> None:
    front.deploy()
    answer = front.ask()  # it returns its event, which is no load balancer's answer
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    assert b"502 Bad Gateway" in answer.content


@pytest.mark.parametrize(
    ("data", "kind", "is_base64"),
    [
        (b'{"a": 1}', "application/json", False),
        (b"a=1", "application/x-www-form-urlencoded", True),
        (b"\x00\xff", "application/octet-stream", True),
        (b"", "application/octet-stream", False),
    ],
)
def test_a_body_is_text_or_base64_by_its_type(front: Front, data: bytes, kind: str, is_base64: bool) -> None:
    front.deploy()
    (listener,) = function_listeners(front.account.server)
    event = event_of(Signed("POST", "http://front/x", {"content-type": kind}, data), "10.42.0.9", listener)
    assert event["isBase64Encoded"] is is_base64
    assert event["body"] == (base64.b64encode(data).decode() if is_base64 else data.decode())


def test_a_body_of_more_than_a_mebibyte_is_refused(front: Front) -> None:
    front.deploy()
    assert front.ask(method="POST", data=b"x" * (2**20 + 1)).status_code == 413


def test_an_answer_in_base64_is_decoded_and_headers_are_told() -> None:
    told = {"statusCode": 404, "headers": {"A": "b"}, "body": base64.b64encode(b"\x00").decode()}
    answer = answer_of(json.dumps({**told, "isBase64Encoded": True}).encode())
    assert (answer.status, dict(answer.headers), answer.body) == (404, {"a": "b"}, b"\x00")


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"statusCode": "200"}',
        b'{"statusCode": true}',
        b'{"statusCode": 7}',
        b'{"statusCode": 200, "headers": ["a"]}',
        b'{"statusCode": 200, "headers": {"a": 1}}',
        b'{"statusCode": 200, "body": {}, "headers": {}}',
        b'{"statusCode": 200, "body": 1}',
        b'{"statusCode": 200, "body": "?", "isBase64Encoded": true}',
    ],
)
def test_what_has_not_the_shape_of_an_answer_is_a_bad_gateway(
    front: Front, told: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.deploy()
    monkeypatch.setattr(front.account.functions, "invoke", lambda *_: Outcome(told, ""))
    assert front.ask().status_code == 502


def test_a_function_that_fails_is_a_bad_gateway(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    front.deploy()
    monkeypatch.setattr(front.account.functions, "invoke", lambda *_: Outcome(b'{"statusCode": 200}', "Unhandled"))
    assert front.ask().status_code == 502


def test_a_function_whose_alias_does_not_let_it_is_no_target(front: Front) -> None:
    with pytest.raises(DeployError, match=r"doesn't let elasticloadbalancing\.amazonaws\.com"):
        front.deploy(permitted="another")


def test_permission_for_the_function_is_none_for_its_alias(front: Front) -> None:
    with pytest.raises(DeployError, match="front:live"):
        front.deploy(alias_permitted=False)


def test_without_permission_any_more_it_is_a_bad_gateway_and_nothing_runs(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.deploy()
    monkeypatch.setattr(front.account.functions, "invoke", lambda *_: pytest.fail("it ran"))
    client = front.account.server.client("lambda")
    client.remove_permission(FunctionName="front", StatementId="Permission", Qualifier="live")
    assert front.ask().status_code == 502


def test_head_is_answered_without_a_body(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    front.deploy()
    monkeypatch.setattr(front.account.functions, "invoke", lambda *_: Outcome(b'{"statusCode": 200, "body": "x"}', ""))
    answer = front.ask(method="HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
