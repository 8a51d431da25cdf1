"""What a resource name of AWS says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arn:
    """`arn:partition:service:region:account:resource`, taken apart."""

    service: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Raises ValueError when `text` isn't an ARN."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn":
            raise ValueError(f"{text!r} isn't an ARN")
        return cls(service=parts[2], resource=parts[5])


def qualifier(name_or_arn: str) -> str:
    """The version or alias in a function's name, partial ARN or ARN; empty where there is none."""
    _, _, tail = name_or_arn.rpartition("function:")
    return tail.partition(":")[2]


def function_name(name_or_arn: str) -> str:
    """The bare name in a function's name, partial ARN or ARN; a version or alias is left out."""
    head, _, tail = name_or_arn.rpartition("function:")
    del head
    return tail.split(":")[0]
