"""Refusals as problem details (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field

from swarmkeeper.errors import (
    Conflict,
    InvalidInput,
    NameTaken,
    QuotaExceeded,
    SwarmkeeperError,
    TokenReused,
    Unavailable,
    VolumeTaken,
)

TYPE_PREFIX = "urn:swarmkeeper:problem:"


class Problem(BaseModel):
    """Why a call was refused, as `application/problem+json`."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="`urn:swarmkeeper:problem:` and a word that programs can rely on.")
    title: str = Field(description="The kind of problem, the same for the same type.")
    status: int
    detail: str = Field(description="What is wrong this time.")
    field: str | None = Field(default=None, description="The path of what is wrong in the request, if one part is.")


def problem(word: str, status: HTTPStatus, title: str, detail: str, field: str | None = None) -> Problem:
    return Problem(type=TYPE_PREFIX + word, title=title, status=int(status), detail=detail, field=field)


def problem_of(error: SwarmkeeperError) -> Problem:
    """What the caller is told of an error. Raises the error itself when it is a fault of ours, not the caller's."""
    match error:
        case InvalidInput():
            return invalid(error.field, error.problem)
        case TokenReused():
            title, field = "The idempotency key was used before", "Idempotency-Key"
            return problem("idempotency-key-reused", HTTPStatus.UNPROCESSABLE_ENTITY, title, str(error), field)
        case NameTaken():
            return problem("name-taken", HTTPStatus.CONFLICT, "The name is in use", str(error), "Name")
        case VolumeTaken():
            title, field = "The shared volume has a writer", "HostConfig.Mounts"
            return problem("volume-taken", HTTPStatus.CONFLICT, title, str(error), field)
        case QuotaExceeded():
            return problem("quota-exceeded", HTTPStatus.FORBIDDEN, "The tenant's quota is used up", str(error))
        case Conflict():
            return problem("conflict", HTTPStatus.CONFLICT, "Somebody else was faster; try again", str(error))
        case Unavailable():
            return problem("unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "Try again in a moment", str(error))
        case _:
            raise error


def invalid(field: str, detail: str) -> Problem:
    return problem("invalid-request", HTTPStatus.BAD_REQUEST, "The request is refused", detail, field)


def not_found(name: str) -> Problem:
    return _missing("container", f"there is no container {name}, or it is not the caller's")


def no_node(name: str) -> Problem:
    return _missing("node", f"there is no node {name}, or it is gone")


def no_decision(name: str) -> Problem:
    return _missing("decision", f"there is no decision {name}; decisions are kept for 30 days")


def not_allowed(detail: str) -> Problem:
    return problem("not-allowed", HTTPStatus.FORBIDDEN, "The caller may not do this", detail)


def _missing(kind: str, detail: str) -> Problem:
    return problem("not-found", HTTPStatus.NOT_FOUND, f"There is no such {kind}", detail)
