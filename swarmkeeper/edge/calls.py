"""Direct calls of the placement function."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from swarmkeeper.errors import InvalidInput


class _Call(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{0,128}$")]
"""An idempotency token; "" is none."""


class Create(_Call):
    action: Literal["create"]
    request: dict[str, Any]
    token: Token = ""


class Explain(_Call):
    action: Literal["explain"]
    request: dict[str, Any]


class Remove(_Call):
    action: Literal["remove"]
    name: str


class List(_Call):
    action: Literal["list"]


Call = Create | Explain | Remove | List
_CALL: TypeAdapter[Call] = TypeAdapter(Annotated[Call, Field(discriminator="action")])


def parse_call(event: object) -> Call:
    """The call. Raises InvalidInput that names the field."""
    try:
        return _CALL.validate_python(event)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidInput(".".join(str(part) for part in first["loc"]) or "action", str(first["msg"])) from error
