"""What stands behind an EC2 instance id on this machine: a real engine in namespaces, or a simulated one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Instance:
    """An EC2 instance as its machine needs to know it."""

    id: str
    private_ip: str
    instance_type: str
    user_data: str
    """The decoded user data script; may be empty."""
    role_name: str = ""
    """The IAM role of its instance profile; what the instance metadata service answers."""
    availability_zone: str = ""
    hop_limit: int = 1
    image_id: str = ""
    """Its AMI: one that `capture` has made is laid over what every machine begins with."""


@dataclass(frozen=True, slots=True)
class NodeCommand:
    """One Run Command invocation on one instance."""

    id: str
    document: str
    """The document's name."""
    script: str
    """The document's shell script with its parameters filled in."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 600.0


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """How a script ended; exit code 0 is success."""

    exit_code: int
    stdout: str
    stderr: str


class MachineError(Exception):
    """A machine could not be started or reached."""


class Machines(Protocol):
    """The machines of one local cloud. Thread-safe: several may start and run commands at once."""

    kind: str
    """`real` or `simulated`."""

    def start(self, instance: Instance) -> None:
        """Boot the instance and begin its user data (returns once the machine exists; the user data may still run).

        Raises MachineError with the reason.
        """

    def stop(self, instance_id: str) -> None:
        """End the instance at once, like a terminated instance; harmless when it is not there."""

    def run(self, instance_id: str, command: NodeCommand) -> CommandOutput:
        """Run a command as root on the instance, as the SSM agent would. Raises MachineError when it is gone."""

    def capture(self, instance_id: str, image_id: str) -> None:
        """Keep what stands on the instance's disk as that image. Raises MachineError with the reason."""

    def attach(self, instance_id: str, volume_id: str, gigabytes: int) -> None:
        """Give the instance a volume that outlives it, until it is stopped. Raises MachineError with the reason."""

    def running(self) -> tuple[str, ...]:
        """Ids of the instances that have a live machine."""

    def close(self) -> None:
        """End every machine and remove everything of ours; safe to repeat."""
