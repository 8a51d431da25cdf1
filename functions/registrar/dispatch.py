"""Which step of the registrar an event asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from swarmkeeper.domain.membership import LeaveCause
from swarmkeeper.domain.model import NodeId
from swarmkeeper.edge.events import (
    COMMAND_CHANGED,
    LAUNCH_ACTION,
    REBALANCE,
    SCHEDULED,
    SPOT_INTERRUPTION,
    SPOT_NOTICE_S,
    TERMINATE_ACTION,
    BusEvent,
)
from swarmkeeper.errors import InvalidInput
from swarmkeeper.ports import WINDOWS_DOCUMENT, Command, Event
from swarmkeeper.services.progress import Progress
from swarmkeeper.services.registrar import Registrar, WaitingHook


def dispatch(
    registrar: Registrar,
    event: BusEvent,
    fleet: str,
    check_tokens: Callable[[], str],
    renew_clients: Callable[[], bool],
) -> dict[str, Any]:
    """Take the step and return what of it goes into the log. Raises InvalidInput for an unknown event."""
    if event.detail_type == LAUNCH_ACTION:
        return _to_log(registrar.launching(_waiting(event)))
    if event.detail_type == TERMINATE_ACTION:
        return _to_log(registrar.terminating(_waiting(event)))
    if event.detail_type == COMMAND_CHANGED:
        command = event.command()
        if not command.document.startswith(f"{fleet}-") or not command.has_ended:
            return {"ignored": f"{command.document} {command.status}"}
        kind = command.document.removesuffix(WINDOWS_DOCUMENT).removeprefix(f"{fleet}-")
        told = {f"{Command.PULL}": registrar.pull_ended, f"{Command.SAVE}": registrar.save_ended}
        tell = told.get(kind, registrar.command_ended)
        progress = tell(NodeId(command.instance_id), command.command_id)
        return {"command_id": command.command_id, **_to_log(progress)}
    if event.detail_type == SPOT_INTERRUPTION:
        by = event.time.timestamp() + SPOT_NOTICE_S
        return _to_log(_warned(registrar, event, LeaveCause.SPOT_INTERRUPTION, by, "EC2 takes its spot instance back"))
    if event.detail_type == REBALANCE:
        return _to_log(_warned(registrar, event, LeaveCause.REBALANCE, None, "EC2 recommends to replace it"))
    if event.detail_type == SCHEDULED:
        return {"clients_renewed": renew_clients(), "tokens": check_tokens()}
    if event.is_own(Event.TOKENS_DUE):
        return {"ignored": "another fleet's event"} if event.own(fleet) is None else {"tokens": check_tokens()}
    if event.is_own(Event.NODE_DRAINING, Event.MEMBERSHIP_CHECK):
        return _own(registrar, event, fleet)
    raise InvalidInput("detail-type", f"{event.detail_type} is not for the registrar")


def _warned(registrar: Registrar, event: BusEvent, cause: LeaveCause, by: float | None, note: str) -> Progress:
    return registrar.warned(NodeId(event.instance().instance_id), cause, by=by, note=note)


def _own(registrar: Registrar, event: BusEvent, fleet: str) -> dict[str, Any]:
    detail = event.own(fleet)
    if detail is None:
        return {"ignored": "another fleet's event"}
    if detail.node is None:
        raise InvalidInput("detail.node", "is missing")
    return _to_log(registrar.advance(NodeId(detail.node)))


def _waiting(event: BusEvent) -> WaitingHook:
    detail = event.lifecycle()
    return WaitingHook(NodeId(detail.instance_id), detail.group, detail.token, event.time.timestamp())


def _to_log(progress: Progress) -> dict[str, Any]:
    moves = [
        {"name": each.name, "moved": each.moved, "detail": each.detail, "gap_s": each.gap_s} for each in progress.moves
    ]
    state = None if progress.state is None else progress.state.value
    told: dict[str, Any] = {
        "node": progress.node_id,
        "state": state,
        "detail": progress.detail,
        "more_to_do": progress.more_to_do,
    }
    told |= {"refused": progress.refused} if progress.refused else {}
    return told | ({"moves": moves} if moves else {})
