"""Events, tokens, secrets, settings, clients: one call to AWS each."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from swarmkeeper.adapters.aws.clients import AwsClients
from swarmkeeper.adapters.aws.clock import SystemClock
from swarmkeeper.adapters.aws.events import EventBus
from swarmkeeper.adapters.aws.secrets import FleetSecrets
from swarmkeeper.adapters.aws.settings_source import read_settings_text
from swarmkeeper.adapters.aws.tokens import TokenParameters
from swarmkeeper.domain.model import Role
from swarmkeeper.errors import InvariantBroken, Unavailable
from swarmkeeper.ports import Event


def test_events_go_out_in_batches_of_ten_with_their_fleet() -> None:
    client = boto3.session.Session("key-of-the-tests", "secret", region_name="eu-central-1").client("events")

    def entry(number: int) -> dict[str, str]:
        detail = json.dumps({"node": f"i-{number}", "fleet": "demo"})
        return {"Source": "swarmkeeper.demo", "DetailType": "Node Ready", "Detail": detail}

    with Stubber(client) as answers:
        for batch in (range(10), range(10, 12)):
            taken = {"FailedEntryCount": 0, "Entries": [{"EventId": str(number)} for number in batch]}
            answers.add_response("put_events", taken, {"Entries": [entry(number) for number in batch]})
        EventBus(client, "demo").publish(Event.NODE_READY, [{"node": f"i-{number}"} for number in range(12)])
        answers.assert_no_pending_responses()


def test_an_event_that_was_not_taken_is_unavailable() -> None:
    client = boto3.session.Session("key-of-the-tests", "secret", region_name="eu-central-1").client("events")
    with Stubber(client) as answers:
        answers.add_response(
            "put_events", {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, {"ErrorCode": "InternalFailure"}]}
        )
        with pytest.raises(Unavailable, match="1 of 2 events: InternalFailure"):
            EventBus(client, "demo").publish(Event.PENDING_RETRY, [{}, {}])


def test_no_details_publish_nothing(session: boto3.session.Session) -> None:
    EventBus(session.client("events"), "demo").publish(Event.PENDING_RETRY, [])


def test_tokens_are_encrypted_with_a_key_of_the_customers_where_one_is_named(session: boto3.session.Session) -> None:
    ssm, key = session.client("ssm"), session.client("kms").create_key()["KeyMetadata"]["Arn"]
    TokenParameters(ssm, "demo", key=key).publish({Role.WORKER: "SWMTKN-1"})
    assert [each["KeyId"] for each in ssm.describe_parameters()["Parameters"]] == [key]


def test_tokens_are_kept_encrypted_one_a_role_and_can_be_renewed(session: boto3.session.Session) -> None:
    ssm = session.client("ssm")
    tokens = TokenParameters(ssm, "demo")
    tokens.publish({Role.WORKER: "SWMTKN-1", Role.MANAGER: "SWMTKN-2"})
    tokens.publish({Role.WORKER: "SWMTKN-3"})
    found = ssm.get_parameter(Name="/demo/join-token/worker", WithDecryption=True)["Parameter"]
    assert (found["Value"], found["Type"]) == ("SWMTKN-3", "SecureString")
    manager = ssm.get_parameter(Name="/demo/join-token/manager", WithDecryption=True)["Parameter"]
    assert manager["Value"] == "SWMTKN-2"


def test_a_secret_is_unavailable_until_it_has_a_value(session: boto3.session.Session) -> None:
    client = session.client("secretsmanager")
    secrets = FleetSecrets(client, "demo")
    client.create_secret(Name="demo/client/placement")
    for name in ("client/placement", "none"):
        with pytest.raises(Unavailable):
            secrets.get(name)
    secrets.put("client/placement", {"key": "k", "certificate": "c"})
    assert secrets.get("client/placement") == {"key": "k", "certificate": "c"}


@pytest.mark.parametrize("text", ["not JSON but secret", "[]", '{"key": 1}'])
def test_a_spoilt_secret_is_a_bug_that_does_not_tell_the_secret(session: boto3.session.Session, text: str) -> None:
    client = session.client("secretsmanager")
    client.create_secret(Name="demo/ca", SecretString=text)
    with pytest.raises(InvariantBroken) as raised:
        FleetSecrets(client, "demo").get("ca")
    assert text not in str(raised.value)
    assert raised.value.__cause__ is None


def test_settings_are_read_as_text(session: boto3.session.Session) -> None:
    ssm = session.client("ssm")
    ssm.put_parameter(Name="/demo/settings", Value='{"fleet":"demo"}', Type="String")
    assert read_settings_text(ssm, "/demo/settings") == '{"fleet":"demo"}'
    with pytest.raises(InvariantBroken):
        read_settings_text(ssm, "/demo/none")


def test_every_client_ends_its_calls_in_seconds_and_says_who_calls(session: boto3.session.Session) -> None:
    clients = AwsClients(session._session)  # botocore's, below boto3's
    for client in (
        clients.autoscaling,
        clients.cloudwatch,
        clients.dynamodb,
        clients.ec2,
        clients.elbv2,
        clients.events,
        clients.secretsmanager,
        clients.sqs,
        clients.ssm,
    ):
        config: Any = client.meta.config
        assert (config.connect_timeout, config.read_timeout) == (2.0, 5.0)
        assert "swarmkeeper/" in config.user_agent_extra


def test_the_clock_is_the_systems() -> None:
    clock = SystemClock()
    assert 1_700_000_000 < clock.now() <= clock.now()
