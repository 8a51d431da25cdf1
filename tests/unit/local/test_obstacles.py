"""What stands in the way of functions' calls of AWS hits them, and nobody else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.aws.environments import Environment
from local.aws.invocations import Invocation
from local.aws.obstacles import Call, Refused
from local.aws.server import CREDENTIALS, AwsServer
from local.chaos.faults.functions import Interruption, hold_up
from tests.unit.local.wiring import Account

CALLS_AWS = """
import os, boto3

def handler(event, context):
    client = boto3.client("dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    for number in range(event["calls"]):
        client.put_item(TableName="t", Item={"pk": {"S": f"{event['name']}-{number}"}})
    return "done"
"""
GIVES_UP = """
import os, boto3
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

config = Config(read_timeout=0.3, retries={"total_max_attempts": 2})

def handler(event, context):
    client = boto3.client("dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=config)
    try:
        client.put_item(TableName="t", Item={"pk": {"S": event["name"]}})
    except ReadTimeoutError:
        return f"unheard by {os.getpid()}"
    return f"heard by {os.getpid()}"
"""


@dataclass(slots=True)
class Wall:
    """Refuses everything, and remembers it."""

    refused: Refused | None
    met: list[Call] = field(default_factory=list)
    done: list[Call] = field(default_factory=list)

    def before(self, call: Call) -> Refused | None:
        self.met.append(call)
        return self.refused

    def after(self, call: Call) -> None:
        self.done.append(call)


def client_of(server: AwsServer, service: str, caller: str) -> object:
    keys = {name.lower(): value for name, value in CREDENTIALS.items()}
    config = Config(user_agent_extra=f"app/{caller}", retries={"total_max_attempts": 1})
    return boto3.client(service, endpoint_url=server.endpoint_url, region_name=server.region, config=config, **keys)  # type: ignore[call-overload]


@pytest.mark.parametrize("service", ["dynamodb", "ec2"])
def test_a_functions_call_is_refused_in_the_words_of_its_service(server: AwsServer, service: str) -> None:
    wall = Wall(Refused(400, "ThrottlingException", "Rate exceeded"))
    server.obstacles.put_up(wall)
    client = client_of(server, service, "f-1")
    with pytest.raises(ClientError, match=r"ThrottlingException.*Rate exceeded"):
        client.list_tables() if service == "dynamodb" else client.describe_vpcs()  # type: ignore[attr-defined]
    assert [(call.service, call.caller) for call in wall.met] == [(service, "f-1")]
    assert not wall.done
    server.obstacles.take_away(wall)
    client.list_tables() if service == "dynamodb" else client.describe_vpcs()  # type: ignore[attr-defined]
    assert len(wall.met) == 1


def test_calls_that_come_from_no_function_pass(server: AwsServer) -> None:
    wall = Wall(Refused(500, "InternalFailure", "no"))
    server.obstacles.put_up(wall)
    assert server.client("dynamodb").list_tables()["TableNames"] == []
    assert not wall.met


@pytest.fixture
def table(account: Account) -> Account:
    account.server.client("dynamodb").create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    (account.folder / "calls_aws.py").write_text(CALLS_AWS)
    account.add(handler="calls_aws.handler", timeout_s=20.0)
    return account


def written(account: Account) -> list[str]:
    return sorted(item["pk"]["S"] for item in account.server.client("dynamodb").scan(TableName="t")["Items"])


def killed(account: Account, *, step: int, late: bool) -> tuple[str, list[str]]:
    def kill(environment: Environment, _: Invocation) -> None:
        environment.kill()

    one = Interruption(account.functions, "f", step=step, late=late, interrupt=kill)
    account.server.obstacles.put_up(one)
    outcome = account.functions.invoke("f", b'{"calls": 3, "name": "a"}')
    account.server.obstacles.take_away(one)
    assert one.struck
    assert one.is_over
    return outcome.payload.decode(), written(account)


def test_a_function_is_killed_before_its_call_has_any_effect(table: Account) -> None:
    said, there = killed(table, step=2, late=False)
    assert "Runtime.ExitError" in said
    assert there == ["a-0"]


def test_a_function_is_killed_between_the_effect_of_its_call_and_the_answer(table: Account) -> None:
    said, there = killed(table, step=2, late=True)
    assert "Runtime.ExitError" in said
    assert there == ["a-0", "a-1"]


def test_the_function_runs_again_after_it_was_killed(table: Account) -> None:
    killed(table, step=1, late=False)
    assert table.functions.invoke("f", b'{"calls": 1, "name": "b"}').payload == b'"done"'


def test_a_function_hears_nothing_until_its_time_is_up(table: Account) -> None:
    table.add("impatient", handler="calls_aws.handler", timeout_s=1.0)
    one = Interruption(table.functions, "impatient", step=2, late=True, interrupt=hold_up)
    table.server.obstacles.put_up(one)
    outcome = table.functions.invoke("impatient", b'{"calls": 3, "name": "a"}')
    assert "Task timed out after 1.00 seconds" in outcome.payload.decode()
    assert written(table) == ["a-0", "a-1"]


def test_what_runs_next_where_a_function_has_given_up_is_heard(table: Account) -> None:
    (table.folder / "gives_up.py").write_text(GIVES_UP)
    table.add("patient", handler="gives_up.handler", timeout_s=20.0)
    one = Interruption(table.functions, "patient", step=1, late=False, interrupt=hold_up)
    table.server.obstacles.put_up(one)
    first, second = (
        json.loads(table.functions.invoke("patient", json.dumps({"name": name}).encode()).payload) for name in "ab"
    )
    assert first.startswith("unheard by ")
    assert second == first.removeprefix("un")
    assert written(table) == ["b"]
