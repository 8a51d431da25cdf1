"""Dead letters of the local cloud are sent again as those of AWS are."""

from __future__ import annotations

import json

from swarmkeeper.alias import ALIAS
from swarmkeeper.cli.dead_letters import DeadLetters
from tests.unit.local.wiring import Account


def test_an_event_that_failed_for_good_comes_to_its_function_again(account: Account) -> None:
    account.add("demo-placement", published={ALIAS: "1"})
    url, _ = account.queue("demo-placement-dlq")
    event = {"id": "1", "source": "swarmkeeper.demo", "detail-type": "NodeReady", "time": "2026-01-01T00:00:00Z"}
    sqs = account.server.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"requestPayload": event}))
    letters = DeadLetters("demo", sqs, account.server.client("lambda"))
    assert [letter.event for letter in letters.redrive("placement", most=1)] == [event]
    assert account.wait_for_calls(1, "demo-placement")[0]["event"] == event
    assert letters.look("placement", most=1) == []
