"""Run Command's records: commands, their invocations on instances, and the result of each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from local.aws.documents import CommandDocument, Values
from local.aws.events import millis_iso, utc

MAX_STDOUT = 24_000
MAX_STDERR = 8_000
MAX_LISTED_OUTPUT = 2_500
"""Characters that GetCommandInvocation and ListCommandInvocations give; the rest is cut."""


class Status(StrEnum):
    """An invocation's status."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCESS = "Success"
    CANCELLING = "Cancelling"
    CANCELLED = "Cancelled"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self not in (Status.PENDING, Status.IN_PROGRESS, Status.CANCELLING)


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step is going, or how it ended."""

    status: Status = Status.PENDING
    details: str = "Pending"
    code: int = -1
    stdout: str = ""
    stderr: str = ""
    started: float | None = None
    ended: float | None = None


@dataclass(slots=True)
class Invocation:
    """A command on one instance."""

    instance_id: str
    status: Status = Status.PENDING
    details: str = "Pending"
    steps: dict[str, StepResult] = field(default_factory=dict)


@dataclass(slots=True)
class Command:
    """A command that was sent."""

    id: str
    document_name: str
    document_version: str
    document: CommandDocument
    values: Values
    parameters: Mapping[str, Sequence[str]]
    comment: str
    requested: float
    delivery_timeout_s: float
    invocations: dict[str, Invocation]

    @property
    def expires(self) -> float:
        """When it is given up if it hasn't reached an instance."""
        return self.requested + self.delivery_timeout_s

    @property
    def status(self) -> Status:
        """The status of all its invocations together."""
        all_of_them = {invocation.status for invocation in self.invocations.values()}
        if len(all_of_them) == 1:
            return next(iter(all_of_them))
        if not all(status.final for status in all_of_them):
            return Status.IN_PROGRESS
        order = (Status.FAILED, Status.TIMED_OUT, Status.CANCELLED)
        return next(status for status in order if status in all_of_them)

    def described(self) -> dict[str, object]:
        """What SendCommand and ListCommands show."""
        statuses = [invocation.status for invocation in self.invocations.values()]
        return {
            "CommandId": self.id,
            "DocumentName": self.document_name,
            "DocumentVersion": self.document_version,
            "Comment": self.comment,
            "ExpiresAfter": utc(self.expires),
            "Parameters": dict(self.parameters),
            "InstanceIds": list(self.invocations),
            "Targets": [],
            "RequestedDateTime": utc(self.requested),
            "Status": str(self.status),
            "StatusDetails": str(self.status),
            "TargetCount": len(statuses),
            "CompletedCount": sum(status.final for status in statuses),
            "ErrorCount": sum(status in (Status.FAILED, Status.TIMED_OUT) for status in statuses),
            "DeliveryTimedOutCount": sum(i.details == "DeliveryTimedOut" for i in self.invocations.values()),
            "TimeoutSeconds": int(self.delivery_timeout_s),
        }


def invocation_answer(command: Command, invocation: Invocation, step: str) -> dict[str, object]:
    """What GetCommandInvocation shows of a step; without one, of the whole invocation and no output."""
    result = invocation.steps.get(step, StepResult(invocation.status, invocation.details))
    ended = result.ended if result.ended is not None else result.started
    lasted = "" if result.started is None or ended is None else f"PT{ended - result.started:.3f}S"
    return {
        "CommandId": command.id,
        "InstanceId": invocation.instance_id,
        "Comment": command.comment,
        "DocumentName": command.document_name,
        "DocumentVersion": command.document_version,
        "PluginName": step,
        "ResponseCode": result.code,
        "ExecutionStartDateTime": _time(result.started),
        "ExecutionElapsedTime": lasted,
        "ExecutionEndDateTime": _time(result.ended),
        "Status": str(result.status),
        "StatusDetails": result.details,
        "StandardOutputContent": result.stdout[:MAX_STDOUT],
        "StandardOutputUrl": "",
        "StandardErrorContent": result.stderr[:MAX_STDERR],
        "StandardErrorUrl": "",
    }


def listed_invocation(command: Command, invocation: Invocation, with_steps: bool) -> dict[str, object]:
    """What ListCommandInvocations shows."""
    plugins = [_plugin(name, result) for name, result in invocation.steps.items()] if with_steps else []
    return {
        "CommandId": command.id,
        "InstanceId": invocation.instance_id,
        "Comment": command.comment,
        "DocumentName": command.document_name,
        "DocumentVersion": command.document_version,
        "RequestedDateTime": utc(command.requested),
        "Status": str(invocation.status),
        "StatusDetails": invocation.details,
        "CommandPlugins": plugins,
    }


def _plugin(name: str, result: StepResult) -> dict[str, object]:
    shown: dict[str, object] = {
        "Name": name,
        "Status": str(result.status),
        "StatusDetails": result.details,
        "ResponseCode": result.code,
        "Output": (result.stdout + result.stderr)[:MAX_LISTED_OUTPUT],
    }
    if result.started is not None:
        shown["ResponseStartDateTime"] = utc(result.started)
    if result.ended is not None:
        shown["ResponseFinishDateTime"] = utc(result.ended)
    return shown


def _time(at: float | None) -> str:
    return "" if at is None else millis_iso(at)
