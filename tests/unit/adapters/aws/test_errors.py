from __future__ import annotations

import pytest
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, ParamValidationError

from swarmkeeper.adapters.aws.errors import aws_errors
from swarmkeeper.errors import InvariantBroken, SwarmkeeperError, Unavailable


def client_error(code: str, status: int = 400) -> ClientError:
    answer = {"Error": {"Code": code, "Message": "token SWMTKN-secret is bad"}}
    return ClientError({**answer, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutThing")  # type: ignore[typeddict-item]  # the rest of the metadata is of no matter


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(client_error("ThrottlingException"), Unavailable, id="throttled"),
        pytest.param(client_error("InternalError", 500), Unavailable, id="server error"),
        pytest.param(client_error("AccessDeniedException"), Unavailable, id="permission not there yet"),
        pytest.param(client_error("ValidationException"), InvariantBroken, id="refused request"),
        pytest.param(EndpointConnectionError(endpoint_url="https://x"), Unavailable, id="no connection"),
        pytest.param(ParamValidationError(report="bad"), InvariantBroken, id="impossible parameters"),
    ],
)
def test_what_may_pass_is_unavailable_and_the_rest_is_a_bug(
    error: ClientError | BotoCoreError, expected: type[SwarmkeeperError]
) -> None:
    with pytest.raises(expected) as raised, aws_errors():
        raise error
    assert raised.value.__cause__ is error


def test_the_text_names_operation_and_code_and_nothing_that_was_sent() -> None:
    with pytest.raises(InvariantBroken) as raised, aws_errors():
        raise client_error("ValidationException")
    assert str(raised.value) == "PutThing: ValidationException"


def test_an_answer_without_code_or_status_is_a_bug() -> None:
    with pytest.raises(InvariantBroken), aws_errors():
        raise ClientError({}, "PutThing")
