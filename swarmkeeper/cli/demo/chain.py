"""Tells a scale-out's chain of causes by the ids that each link left: alarm, message, function, instance, node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swarmkeeper.cli.demo.record import SeenEvent

Facts = Sequence[Mapping[str, Any]]
"""What the local cloud's journal tells; `t` is in seconds since the demo's start."""

LAUNCH_HOOK = "EC2 Instance-launch Lifecycle Action"
TERMINATE_HOOK = "EC2 Instance-terminate Lifecycle Action"
TERMINATED = "EC2 Instance Terminate Successful"
COMMAND = "EC2 Command Invocation Status-change Notification"
ALARM = "CloudWatch Alarm State Change"
NODE_READY = "Node Ready"
NODE_DRAINING = "Node Draining"
RECHECK = "recheck"
"""What the scaler names as its trigger when its schedule has made it decide."""


def alarm_fired(events: Sequence[SeenEvent], alarm: str, *, after: float) -> SeenEvent | None:
    """The first change of the alarm to ALARM after that moment."""
    return next(
        (
            event
            for event in events
            if event.kind == ALARM
            and event.t >= after
            and event.detail.get("alarmName") == alarm
            and _value(event.detail.get("state")) == "ALARM"
        ),
        None,
    )


def join_chain(
    node: str, events: Sequence[SeenEvent], calls: Facts, decisions: Facts, *, after: float
) -> dict[str, object]:
    """The links from the alarm to the ready node; a link that can't be told is missing.

    Told backwards from the decision to grow: the message that it names as its cause, and the alarm that sent it. The
    schedule may decide on an alarm in ALARM in the moments before its message is served: then the decision says so.
    """
    links: dict[str, object] = {"node": node}
    messages = [call for call in calls if call["source"] == "sns" and call["about"].endswith(" ALARM")]
    for decision in decisions:
        message = _message(decision, messages, events, after) if _has_grown(decision, after) else None
        if message is not None:
            links |= _alarm(_alarm_of(message), events, after)
            links["sns"] = {"message_id": message["causes"][0], "t": round(message["t"], 3)}
            links["decision"] = _decision(decision)
            break
    return links | _links(
        hook=first(events, LAUNCH_HOOK, EC2InstanceId=node),
        signing=finished_command(events, node, "node-csr"),
        join=finished_command(events, node, "node-join"),
        ready=first(events, NODE_READY, node=node),
    )


def _has_grown(decision: Mapping[str, Any], after: float) -> bool:
    return bool(decision["direction"] == "out" and decision["t"] >= after)


def _message(
    decision: Mapping[str, Any], messages: Facts, events: Sequence[SeenEvent], after: float
) -> Mapping[str, Any] | None:
    """The alarm's message that made the decision, or that of an alarm which had gone off when the schedule decided."""
    by_id = {each["causes"][0]: each for each in messages}
    if decision["cause"] in by_id or decision["trigger"] != RECHECK:
        return by_id.get(decision["cause"])
    for message in messages:
        fired = alarm_fired(events, _alarm_of(message), after=after)
        if fired is not None and fired.t <= decision["t"] and message["t"] >= fired.t:
            return message
    return None


def _alarm_of(message: Mapping[str, Any]) -> str:
    return str(message["about"]).removesuffix(" ALARM")


def _alarm(name: str, events: Sequence[SeenEvent], after: float) -> dict[str, object]:
    fired = alarm_fired(events, name, after=after)
    return {"alarm": {"name": name, "event_id": fired.id, "t": round(fired.t, 3)}} if fired else {}


def leave_chain(node: str, events: Sequence[SeenEvent], decisions: Facts) -> dict[str, object]:
    """The links from the decision to drain to the terminated instance; a link that can't be told is missing."""
    links: dict[str, object] = {"node": node}
    if decision := next((one for one in decisions if node in one["victims"]), None):
        links["decision"] = _decision(decision)
    return links | _links(
        draining=first(events, NODE_DRAINING, node=node),
        hook=first(events, TERMINATE_HOOK, EC2InstanceId=node),
        leave=finished_command(events, node, "node-leave"),
        terminated=first(events, TERMINATED, EC2InstanceId=node),
    )


def _decision(decision: Mapping[str, Any]) -> dict[str, object]:
    told = {key: decision[key] for key in ("request_id", "trigger", "cause", "desired", "reason")}
    return {"t": round(decision["t"], 3), **told}


def _links(**found: SeenEvent | None) -> dict[str, object]:
    return {name: _link(event) for name, event in found.items() if event}


def first(events: Sequence[SeenEvent], kind: str, **details: str) -> SeenEvent | None:
    """The first event of that kind with those details."""
    for event in events:
        if event.kind == kind and all(event.detail.get(key) == value for key, value in details.items()):
            return event
    return None


def finished_command(events: Sequence[SeenEvent], node: str, command: str) -> SeenEvent | None:
    """The event that tells the success of a command on a node; `command` ends its document's name."""
    ended = (event for event in events if event.kind == COMMAND and event.detail.get("status") == "Success")
    for event in ended:
        document = str(event.detail.get("document-name", ""))
        if event.detail.get("instance-id") == node and document.endswith(command):
            return event
    return None


def _link(event: SeenEvent) -> dict[str, object]:
    link: dict[str, object] = {"event_id": event.id, "t": round(event.t, 3)}
    for key, name in (("LifecycleActionToken", "token"), ("command-id", "command_id")):
        if key in event.detail:
            link[name] = event.detail[key]
    return link


def _value(state: object) -> str:
    return str(state.get("value", "")) if isinstance(state, Mapping) else ""
