"""The actions of Run Command and of its documents, checked as AWS checks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from moto.core.responses import ActionResult
from moto.ssm.exceptions import InvalidDocument, SSMException
from moto.ssm.models import Document
from moto.ssm.responses import SimpleSystemManagerResponse

from local.aws.command_records import Command, Invocation, invocation_answer, listed_invocation
from local.aws.commands import Commands
from local.aws.documents import (
    MAX_DOCUMENT_BYTES,
    CommandDocument,
    DocumentFault,
    ParameterFault,
    Values,
    bind,
    read_document,
    script_of,
    timeout_of,
)
from local.aws.events import utc
from local.aws.patching import Patches, Request, as_action

MAX_INSTANCES = 50
MAX_COMMENT = 100
DELIVERY_TIMEOUT_S = (30, 2_592_000)

RUN_SHELL_SCRIPT: Mapping[str, Any] = {
    "schemaVersion": "2.2",
    "parameters": {
        "commands": {"type": "StringList", "minItems": 1},
        "workingDirectory": {"type": "String", "default": "", "maxChars": 4096},
        "executionTimeout": {"type": "String", "default": "3600", "allowedPattern": r"[1-9]\d{0,5}"},
    },
    "mainSteps": [
        {
            "action": "aws:runShellScript",
            "name": "aws:runShellScript",
            "inputs": {"runCommand": "{{ commands }}", "timeoutSeconds": "{{ executionTimeout }}"},
        }
    ],
}
"""AWS-RunShellScript, which every account has."""

Original = Callable[[SimpleSystemManagerResponse], ActionResult]


@dataclass(frozen=True, slots=True)
class CommandsApi:
    """The actions; some of them moto lacks."""

    commands: Commands

    def install(self, patches: Patches) -> None:
        """Serve the actions from moto's response class."""
        handlers: dict[str, Callable[[Request], object]] = {
            "send_command": self.send_command,
            "cancel_command": self.cancel_command,
            "list_commands": self.list_commands,
            "list_command_invocations": self.list_invocations,
            "get_command_invocation": self.get_invocation,
            "describe_instance_information": self.describe_instances,
            "create_document": self._checked(SimpleSystemManagerResponse.create_document),
            "update_document": self._checked(SimpleSystemManagerResponse.update_document),
        }
        for name, handler in handlers.items():
            patches.replace(SimpleSystemManagerResponse, name, as_action(handler))

    def send_command(self, request: Request) -> object:
        """SendCommand."""
        comment = request.text("Comment")
        timeout_s = request.number("TimeoutSeconds")
        low, high = DELIVERY_TIMEOUT_S
        if len(comment) > MAX_COMMENT or (timeout_s is not None and not low <= timeout_s <= high):
            raise SSMException("ValidationException", "Comment or TimeoutSeconds is out of range")
        name, version, document = self._document(request.text("DocumentName"), request.text("DocumentVersion"))
        instance_ids = self._instances(request)
        parameters = request.raw("Parameters") or {}
        values = self._values(document, parameters)
        command = self.commands.send(
            (name, version),
            document,
            values,
            parameters,
            instance_ids,
            comment=comment,
            delivery_timeout_s=float(timeout_s or 3600),
        )
        return {"Command": command.described()}

    def cancel_command(self, request: Request) -> None:
        """CancelCommand: asks; a script that runs is not interrupted."""
        command = self._command(request.text("CommandId"))
        self.commands.cancel(command, request.texts("InstanceIds"))

    def list_commands(self, request: Request) -> object:
        """ListCommands: newest first."""
        self._refuse_filters(request)
        found = self._chosen(request.text("CommandId"), request.text("InstanceId"))
        return _page("Commands", [command.described() for command in found], request, 50)

    def list_invocations(self, request: Request) -> object:
        """ListCommandInvocations: newest first; the steps only with Details."""
        self._refuse_filters(request)
        named = request.text("InstanceId")
        details = request.flag("Details", False)
        listed = [
            listed_invocation(command, invocation, details)
            for command in self._chosen(request.text("CommandId"), named)
            for invocation in command.invocations.values()
            if self._visible(command) and (not named or invocation.instance_id == named)
        ]
        return _page("CommandInvocations", listed, request, 50)

    def get_invocation(self, request: Request) -> object:
        """GetCommandInvocation: unknown for a moment after the command was sent."""
        command = self.commands.sent.get(request.text("CommandId"))
        invocation = command.invocations.get(request.text("InstanceId")) if command else None
        if command is None or invocation is None or not self._visible(command):
            raise SSMException("InvocationDoesNotExist", "")
        return invocation_answer(command, invocation, self._step(invocation, request.text("PluginName")))

    def describe_instances(self, request: Request) -> object:
        """DescribeInstanceInformation: the instances whose agent has registered."""
        wanted, ping = self._filters(request)
        alive = set(self.commands.instances.machines.running())
        shown = [
            self._agent(instance.id, str(instance.private_ip), instance.id in alive)
            for instance in self.commands.instances.ec2.all_instances()
            if self.commands.registered(instance.id) and (not wanted or instance.id in wanted)
        ]
        return _page("InstanceInformationList", [one for one in shown if one["PingStatus"] in ping], request, 10)

    def _agent(self, instance_id: str, address: str, alive: bool) -> dict[str, object]:
        registered = (self.commands.instances.booted_at(instance_id) or 0) + self.commands.timing.agent_delay_s
        return {
            "InstanceId": instance_id,
            "PingStatus": "Online" if alive else "ConnectionLost",
            "LastPingDateTime": utc(self.commands.clock()),
            "RegistrationDate": utc(registered),
            "AgentVersion": "3.3.0.0",
            "IsLatestVersion": True,
            "PlatformType": "Linux",
            "PlatformName": "Debian GNU/Linux",
            "PlatformVersion": "12",
            "ResourceType": "EC2Instance",
            "IPAddress": address,
            "ComputerName": instance_id,
        }

    def _filters(self, request: Request) -> tuple[set[str], set[str]]:
        """The instance ids (none: all) and ping statuses that a request asks for."""
        ids: set[str] = set()
        ping = {"Online", "ConnectionLost"}
        old = [(one["key"], one["valueSet"]) for one in request.raw("InstanceInformationFilterList") or []]
        new = [(one["Key"], one["Values"]) for one in request.raw("Filters") or []]
        for key, values in old + new:
            if key == "InstanceIds":
                ids |= set(values)
            elif key == "PingStatus":
                ping &= set(values)
            else:
                raise SSMException("InvalidFilterKey", f"filter {key} is not emulated")
        return ids, ping

    def _document(self, name: str, version: str) -> tuple[str, str, CommandDocument]:
        """A document by name or ARN. Raises InvalidDocument."""
        name = name.rsplit("/", 1)[-1]
        if name == "AWS-RunShellScript":
            return name, "1", read_document(RUN_SHELL_SCRIPT)
        stored: Document = self.commands.ssm._get_documents(name).find(None if version in ("", "$DEFAULT") else version)
        try:
            return name, stored.document_version, read_document(stored.content_json)
        except DocumentFault as fault:
            raise InvalidDocument(str(fault)) from fault

    def _instances(self, request: Request) -> list[str]:
        """The instances that a request names. Raises InvalidInstanceId unless every agent has registered."""
        ids = request.texts("InstanceIds")
        for target in request.raw("Targets") or []:
            ids += self._targeted(target)
        if not ids or len(ids) > MAX_INSTANCES:
            raise SSMException("ValidationException", f"name from 1 to {MAX_INSTANCES} instances")
        invalid = [instance_id for instance_id in ids if not self.commands.registered(instance_id)]
        if invalid:
            account = self.commands.ssm.account_id
            raise SSMException(
                "InvalidInstanceId", f"Instances [[{', '.join(invalid)}]] not in a valid state for account {account}"
            )
        return ids

    def _targeted(self, target: Mapping[str, Any]) -> list[str]:
        key, values = target["Key"], target["Values"]
        if key == "InstanceIds":
            return list(values)
        if not key.startswith("tag:"):
            raise SSMException("InvalidTarget", f"target key {key} is not emulated")
        reservations = self.commands.instances.ec2.all_reservations({key: values})
        tagged = [instance.id for reservation in reservations for instance in reservation.instances]
        return [instance_id for instance_id in tagged if self.commands.registered(instance_id)]

    def _values(self, document: CommandDocument, parameters: Mapping[str, Sequence[str]]) -> Values:
        try:
            values = bind(document, parameters, self._stored)
            scripts = [script_of(step, document, values) for step in document.steps]
            for step in document.steps:
                timeout_of(step, document, values)
        except ParameterFault as fault:
            raise SSMException("InvalidParameters", str(fault)) from fault
        if sum(len(script.encode()) for script in scripts) > MAX_DOCUMENT_BYTES:
            raise _too_large("with its parameters filled in")
        return values

    def _stored(self, name: str) -> str:
        parameter = self.commands.ssm.get_parameter(name)
        if parameter is None:
            raise ParameterFault(f"Parameter Store has no parameter {name}")
        if parameter.parameter_type == "SecureString":
            raise ParameterFault(f"{name} is a SecureString: a document can't refer to it")
        return str(parameter.value)

    def _checked(self, original: Original) -> Callable[[Request], ActionResult]:
        """CreateDocument and UpdateDocument: within the size limit, and something that Run Command can run."""

        def checked(request: Request) -> ActionResult:
            content = request.raw("Content")
            if isinstance(content, str) and len(content.encode()) > MAX_DOCUMENT_BYTES:
                raise _too_large("as written")
            result = original(cast(SimpleSystemManagerResponse, request.response))
            self._forget_if_faulty(request.text("Name"))
            return result

        return checked

    def _forget_if_faulty(self, name: str) -> None:
        documents = self.commands.ssm._get_documents(name)
        latest = documents.get_latest_version()
        if (latest.document_type or "Command") != "Command":
            return
        try:
            read_document(latest.content_json)
        except DocumentFault as fault:
            documents.delete(latest.document_version)
            if not documents.versions:
                del self.commands.ssm._documents[name]
            raise SSMException("InvalidDocumentContent", str(fault)) from fault

    def _command(self, command_id: str) -> Command:
        if command_id not in self.commands.sent:
            raise SSMException("InvalidCommandId", "")
        return self.commands.sent[command_id]

    def _chosen(self, command_id: str, instance_id: str) -> list[Command]:
        chosen = [self._command(command_id)] if command_id else list(reversed(self.commands.sent.values()))
        return [command for command in chosen if not instance_id or instance_id in command.invocations]

    def _visible(self, command: Command) -> bool:
        return self.commands.clock() >= command.requested + self.commands.timing.visible_s

    def _step(self, invocation: Invocation, named: str) -> str:
        if named and named not in invocation.steps:
            raise SSMException("InvalidPluginName", "")
        return named or (next(iter(invocation.steps)) if len(invocation.steps) == 1 else "")

    def _refuse_filters(self, request: Request) -> None:
        if request.raw("Filters"):
            raise SSMException("InvalidFilterKey", "filters are not emulated here")


def _too_large(when: str) -> SSMException:
    return SSMException("MaxDocumentSizeExceeded", f"The document is more than {MAX_DOCUMENT_BYTES} bytes {when}")


def _page(key: str, items: list[dict[str, object]], request: Request, most: int) -> dict[str, object]:
    start = int(request.text("NextToken") or 0)
    end = start + (request.number("MaxResults") or most)
    page: dict[str, object] = {key: items[start:end]}
    return page | ({"NextToken": str(end)} if end < len(items) else {})
