from __future__ import annotations

from swarmkeeper.cli.demo import chain
from swarmkeeper.cli.demo.record import SeenEvent


def event(t: float, kind: str, **detail: object) -> SeenEvent:
    return SeenEvent(t, f"e-{t:g}", "test", kind, detail)


EVENTS = (
    event(1, chain.ALARM, alarmName="demo-pending", state={"value": "ALARM"}),
    event(9, chain.ALARM, alarmName="demo-pending", state={"value": "OK"}),
    event(10, chain.ALARM, alarmName="demo-pending", state={"value": "ALARM"}),
    event(12, chain.LAUNCH_HOOK, EC2InstanceId="i-1", LifecycleActionToken="t-1"),
    event(13, chain.LAUNCH_HOOK, EC2InstanceId="i-2", LifecycleActionToken="t-2"),
    event(14, chain.COMMAND, **{"instance-id": "i-1", "document-name": "demo-node-csr", "status": "Success"}),
    event(15, chain.COMMAND, **{"instance-id": "i-1", "document-name": "demo-node-join", "status": "Failed"}),
    event(
        16,
        chain.COMMAND,
        **{"instance-id": "i-1", "document-name": "demo-node-join", "status": "Success", "command-id": "c-1"},
    ),
    event(17, chain.NODE_READY, node="i-1"),
)
CALLS = (
    {"t": 2.0, "source": "sns", "about": "demo-pending ALARM", "causes": ["m-0"]},
    {"t": 10.5, "source": "sns", "about": "demo-pending ALARM", "causes": ["m-1"]},
    {"t": 10.6, "source": "events", "about": "", "causes": ["e-7"]},
)


def decision(cause: str, **facts: object) -> dict[str, object]:
    base = {"t": 11.0, "direction": "out", "desired": 2, "reason": "1 pending", "trigger": "alarm", "victims": []}
    return base | {"request_id": f"r-{cause}", "cause": cause} | facts


def test_a_chain_names_every_link_after_its_start() -> None:
    decisions = (decision("m-0", t=2.5), decision("m-1", direction="none"), decision("m-1"))
    told = chain.join_chain("i-1", EVENTS, CALLS, decisions, after=5)
    assert told == {
        "node": "i-1",
        "alarm": {"name": "demo-pending", "event_id": "e-10", "t": 10},
        "sns": {"message_id": "m-1", "t": 10.5},
        "decision": {
            "t": 11.0,
            "request_id": "r-m-1",
            "trigger": "alarm",
            "cause": "m-1",
            "desired": 2,
            "reason": "1 pending",
        },
        "hook": {"event_id": "e-12", "t": 12, "token": "t-1"},
        "signing": {"event_id": "e-14", "t": 14},
        "join": {"event_id": "e-16", "t": 16, "command_id": "c-1"},
        "ready": {"event_id": "e-17", "t": 17},
    }


def test_a_decision_that_no_alarm_caused_is_no_link() -> None:
    told = chain.join_chain("i-1", EVENTS, CALLS, (decision("e-7"),), after=5)
    assert not {"alarm", "sns", "decision"} & set(told)


def test_a_recheck_that_was_faster_than_the_alarms_message_is_told_with_both() -> None:
    told = chain.join_chain("i-1", EVENTS, CALLS, (decision("e-7", t=10.2, trigger="recheck"),), after=5)
    assert told["alarm"] == {"name": "demo-pending", "event_id": "e-10", "t": 10}
    assert told["sns"] == {"message_id": "m-1", "t": 10.5}
    assert told["decision"]["trigger"] == "recheck"  # type: ignore[index]  # a link is a mapping


def test_a_recheck_before_any_alarm_went_off_is_no_link() -> None:
    told = chain.join_chain("i-1", EVENTS, CALLS, (decision("e-7", t=9.5, trigger="recheck"),), after=5)
    assert not {"alarm", "sns", "decision"} & set(told)


def test_a_link_that_can_not_be_told_is_missing() -> None:
    told = chain.join_chain("i-2", EVENTS, (), (), after=5)
    assert set(told) == {"node", "hook"}


def test_leaving_begins_with_the_decision_that_names_the_node() -> None:
    told = chain.leave_chain("i-1", EVENTS, (decision("m-1"), decision("s-1", direction="in", victims=["i-1"])))
    assert set(told) == {"node", "decision"}
