"""Models filled from outside; what doesn't suit them is refused by the field's name."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from swarmkeeper.errors import InvalidInput

Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], value: object, where: str) -> Model:
    """The value as the model. Raises InvalidInput that names the first field that is wrong, beginning with `where`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join([where, *(str(part) for part in first["loc"])])
        raise InvalidInput(path, str(first["msg"])) from error
