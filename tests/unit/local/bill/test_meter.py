"""Requests are counted in the units that AWS charges for."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from local.aws.asked import operation_of
from local.bill.meter import Meter, counted, read_units, write_units

KB = "x" * 1000


def test_an_operation_is_in_its_target_or_in_its_form() -> None:
    assert operation_of("DynamoDB_20120810.GetItem", b"{}") == "GetItem"
    assert operation_of("", b"Action=DescribeInstances&Version=1") == "DescribeInstances"
    assert operation_of("", b"") == "?"


@pytest.mark.parametrize(
    ("operation", "request_", "answer", "units"),
    [
        pytest.param("GetItem", {}, {}, 1, id="nothing there"),
        pytest.param("GetItem", {}, {"Item": {"a": {"S": KB * 5}}}, 2, id="an item of five KB"),
        pytest.param("BatchGetItem", {}, {"Responses": {"t": [{"a": {"S": KB}}] * 3}}, 3, id="each item by itself"),
        pytest.param("Query", {"ConsistentRead": True}, {"Items": [{"a": {"S": KB * 7}}]}, 2, id="consistent"),
        pytest.param("Query", {}, {"Items": [{"a": {"S": KB * 7}}]}, 1, id="half when it needn't be"),
        pytest.param(
            "Scan",
            {"ConsistentRead": True},
            {"Items": [{"a": {"S": KB * 4}}], "Count": 1, "ScannedCount": 3},
            3,
            id="what a filter left out",
        ),
        pytest.param("PutItem", {}, {}, 0, id="no read"),
    ],
)
def test_reads_are_paid_by_four_kilobytes(
    operation: str, request_: Mapping[str, Any], answer: Mapping[str, Any], units: int
) -> None:
    assert read_units(operation, request_, answer) == units


@pytest.mark.parametrize(
    ("operation", "request_", "units"),
    [
        pytest.param("UpdateItem", {}, 3, id="the item, and its places in an index"),
        pytest.param("BatchWriteItem", {"RequestItems": {"t": [{}, {}]}}, 6, id="each of a batch"),
        pytest.param("TransactWriteItems", {"TransactItems": [{"Put": {}}, {"ConditionCheck": {}}]}, 6, id="twice"),
        pytest.param("GetItem", {}, 0, id="no write"),
    ],
)
def test_writes_are_paid_with_their_indexes(operation: str, request_: Mapping[str, Any], units: int) -> None:
    assert write_units(operation, request_) == units


def test_what_passes_a_gateway_is_all_but_dynamodbs_and_s3s() -> None:
    assert counted("events", "PutEvents", b'{"Entries": [{}, {}]}', b"{}") == {
        "events:PutEvents": 1,
        "gateway bytes": 23,
        "events": 2,
    }
    assert counted("dynamodb", "GetItem", b"{}", b"{}") == {"dynamodb:GetItem": 1, "read units": 1}


def test_requests_of_functions_are_counted_and_others_pass() -> None:
    asked: list[bytes] = []

    def service(environ: dict[str, Any], _: object) -> list[bytes]:
        asked.append(environ["wsgi.input"].read())
        return [b"{}"]

    meter = Meter()
    counting = meter.before(service)
    request = {
        "CONTENT_LENGTH": "2",
        "HTTP_X_AMZ_TARGET": "DynamoDB_20120810.GetItem",
        "HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=K/20250101/eu-central-1/dynamodb/aws4_request",
    }
    for agent in ("Boto3 app/demo-placement", "aws-cli"):
        body = io.BytesIO(json.dumps({}).encode())
        assert list(counting({**request, "HTTP_USER_AGENT": agent, "wsgi.input": body}, _started)) == [b"{}"]
    assert asked == [b"{}", b"{}"]
    assert meter.counts() == {"dynamodb:GetItem": 1, "read units": 1}


def _started(*_: object) -> Any:
    raise AssertionError("the service answers by itself")
