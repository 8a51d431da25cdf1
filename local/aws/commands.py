"""SSM Run Command: refused until an instance's agent has registered, then run on the instance's machine."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from moto.ssm.models import SimpleSystemManagerBackend

from local.aws.command_records import Command, Invocation, Status, StepResult
from local.aws.documents import CommandDocument, Step, Values, script_of, timeout_of
from local.aws.events import Emitter, Event, millis_iso
from local.aws.instances import Ec2Machines, Ec2State
from local.aws.patching import Patches
from local.machines import CommandOutput, MachineError, NodeCommand

logger = logging.getLogger(__name__)

INVOCATION_EVENT = "EC2 Command Invocation Status-change Notification"
COMMAND_EVENT = "EC2 Command Status-change Notification"


@dataclass(frozen=True, slots=True)
class AgentTiming:
    """The delays of Run Command and of the agents."""

    agent_delay_s: float = 20.0
    """From an instance's start to its agent's registration; more than 0."""
    delivery_s: float = 0.2
    """From SendCommand until the agent has the command."""
    visible_s: float = 0.3
    """From SendCommand until GetCommandInvocation knows the invocation."""

    def __post_init__(self) -> None:
        if self.agent_delay_s <= 0:
            raise ValueError("agent_delay_s must be more than 0: an agent is never there at once")


class Commands:
    """The commands of one region. Thread-safe; each invocation runs in a thread of its own."""

    def __init__(
        self,
        ssm: SimpleSystemManagerBackend,
        instances: Ec2Machines,
        bus: Emitter,
        *,
        timing: AgentTiming | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.ssm = ssm
        self.instances = instances
        self.timing = timing or AgentTiming()
        self.clock = clock
        self.lock = threading.RLock()
        self.sent: dict[str, Command] = {}
        self.lost_next = 0
        """How many of the next commands never reach their agent; they end at their delivery time-out."""
        self._bus = bus
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._patches = Patches()

    def install(self) -> None:
        """Serve Run Command from moto's response class; `uninstall` undoes it."""
        from local.aws.commands_api import CommandsApi  # it needs this module's class

        CommandsApi(self).install(self._patches)

    def uninstall(self) -> None:
        """Restore moto, and wait for a moment for commands that run; later results are lost."""
        self._patches.undo()
        self._stopping.set()
        deadline = time.monotonic() + 2
        with self.lock:  # or one of them might not have been started yet
            threads = tuple(self._threads)
        for thread in threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))

    def registered(self, instance_id: str) -> bool:
        """Whether the instance's agent is known to Systems Manager."""
        booted = self.instances.booted_at(instance_id)
        return booted is not None and self.clock() >= booted + self.timing.agent_delay_s

    def send(
        self,
        name_and_version: tuple[str, str],
        document: CommandDocument,
        values: Values,
        parameters: Mapping[str, Sequence[str]],
        instance_ids: Sequence[str],
        *,
        comment: str = "",
        delivery_timeout_s: float = 3600.0,
    ) -> Command:
        """Record a command and begin its invocations; everything has been checked."""
        steps = [step.name for step in document.steps]
        invocations = {
            i: Invocation(i, steps={step: StepResult() for step in steps}) for i in dict.fromkeys(instance_ids)
        }
        command = Command(
            str(uuid.uuid4()),
            *name_and_version,
            document,
            values,
            parameters,
            comment,
            self.clock(),
            delivery_timeout_s,
            invocations,
        )
        with self.lock:
            self.sent[command.id] = command
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            for invocation in invocations.values():
                self._begin(command, invocation)
        return command

    def cancel(self, command: Command, instance_ids: Sequence[str]) -> None:
        """Cancel what has not begun; what runs is cancelled when its script returns."""
        with self.lock:
            for invocation in command.invocations.values():
                if instance_ids and invocation.instance_id not in instance_ids:
                    continue
                if invocation.status is Status.PENDING:
                    self._set(command, invocation, Status.CANCELLED)
                elif invocation.status is Status.IN_PROGRESS:
                    self._set(command, invocation, Status.CANCELLING)

    def _begin(self, command: Command, invocation: Invocation) -> None:
        is_lost, self.lost_next = self.lost_next > 0, max(0, self.lost_next - 1)
        thread = threading.Thread(
            target=self._execute, args=(command, invocation, is_lost), name=f"ssm-{invocation.instance_id}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _execute(self, command: Command, invocation: Invocation, is_lost: bool) -> None:
        try:
            if self._delivered(command, invocation, is_lost):
                self._run(command, invocation)
        except Exception:  # nobody waits for the thread; the invocation must end all the same
            logger.exception("run command broke", extra={"command": command.id})
            self._set(command, invocation, Status.FAILED)

    def _delivered(self, command: Command, invocation: Invocation, is_lost: bool) -> bool:
        """Wait until the agent has the command; False when it never will, or when it was cancelled."""
        self._stopping.wait(self.timing.delivery_s)
        while not self._stopping.is_set():
            with self.lock:
                if invocation.status is not Status.PENDING:
                    return False
                if not is_lost and self._alive(invocation.instance_id):
                    self._set(command, invocation, Status.IN_PROGRESS)
                    return True
                if self._terminated(invocation.instance_id):
                    self._set(command, invocation, Status.FAILED, "Undeliverable")
                    return False
                if self.clock() >= command.expires:
                    self._set(command, invocation, Status.TIMED_OUT, "DeliveryTimedOut")
                    return False
            self._stopping.wait(0.1)
        return False

    def _run(self, command: Command, invocation: Invocation) -> None:
        results: list[StepResult] = []
        for step in command.document.steps:
            if not step.for_linux:
                continue
            result = self._run_step(command, invocation, step)
            results.append(result)
            if result.status is not Status.SUCCESS and step.stops_on_failure:
                break
            if invocation.status is not Status.IN_PROGRESS:
                break
        with self.lock:
            if invocation.status is Status.CANCELLING:
                self._set(command, invocation, Status.CANCELLED)
            else:
                worst = next(
                    (r for r in results if r.status is not Status.SUCCESS), StepResult(Status.SUCCESS, "Success")
                )
                self._set(command, invocation, worst.status, worst.details)

    def _run_step(self, command: Command, invocation: Invocation, step: Step) -> StepResult:
        limit = timeout_of(step, command.document, command.values)
        running = StepResult(Status.IN_PROGRESS, "InProgress", started=self.clock())
        self._record(invocation, step, running)
        order = NodeCommand(
            id=command.id,
            document=command.document_name,
            script=script_of(step, command.document, command.values),
            parameters={name: ",".join(values) for name, values in command.values.items()},
            timeout_s=limit,
        )
        try:
            output = self.instances.machines.run(invocation.instance_id, order)
        except MachineError as gone:
            output = CommandOutput(-1, "", str(gone))
        ended = self.clock()
        status, details = _verdict(output.exit_code, ended - (running.started or ended) >= limit)
        if invocation.status is Status.CANCELLING:
            status, details = Status.CANCELLED, "Cancelled"
        result = replace(
            running,
            status=status,
            details=details,
            code=output.exit_code,
            stdout=output.stdout,
            stderr=output.stderr,
            ended=ended,
        )
        self._record(invocation, step, result)
        return result

    def _record(self, invocation: Invocation, step: Step, result: StepResult) -> None:
        with self.lock:
            invocation.steps[step.name] = result

    def _alive(self, instance_id: str) -> bool:
        return instance_id in self.instances.machines.running()

    def _terminated(self, instance_id: str) -> bool:
        instance = self.instances.ec2.get_instance_by_id(instance_id)
        return instance is None or instance.state_code in (Ec2State.SHUTTING_DOWN, Ec2State.TERMINATED)

    def _set(self, command: Command, invocation: Invocation, status: Status, details: str = "") -> None:
        """Change an invocation's status; each change of it and of the command's is an event."""
        with self.lock:
            before = command.status
            invocation.status, invocation.details = status, details or str(status)
            if status.final and all(step.started is None for step in invocation.steps.values()):
                invocation.steps = dict.fromkeys(invocation.steps, StepResult(status, invocation.details))
            after = command.status
        if self._stopping.is_set():
            return
        requested = {"requested-date-time": millis_iso(command.requested)}
        named: dict[str, object] = {"command-id": command.id, "document-name": command.document_name, **requested}
        arn = f"arn:aws:ec2:{self.ssm.region_name}:{self.ssm.account_id}:instance/{invocation.instance_id}"
        detail = {**named, "instance-id": invocation.instance_id, "status": str(status)}
        Event("aws.ssm", INVOCATION_EVENT, detail, (arn,)).put(self._bus)
        if before is not after:
            parameters = {name: list(values) for name, values in command.parameters.items()}
            whole = {"expire-after": millis_iso(command.expires), "parameters": parameters, "status": str(after)}
            Event("aws.ssm", COMMAND_EVENT, {**named, **whole}, (arn,)).put(self._bus)


def _verdict(exit_code: int, out_of_time: bool) -> tuple[Status, str]:
    if out_of_time:
        return Status.TIMED_OUT, "ExecutionTimedOut"
    return (Status.SUCCESS, "Success") if exit_code == 0 else (Status.FAILED, "Failed")
