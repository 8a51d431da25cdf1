"""The OpenAPI document is the code's own, complete, and the one that is published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swarmkeeper.edge.openapi import openapi, openapi_text
from swarmkeeper.edge.routes import ROUTES, Route

PUBLISHED = Path(__file__).parents[3] / "docs" / "openapi.json"


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = openapi()["paths"][route.path][route.method.lower()]
    return found


def test_the_published_document_is_current() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == openapi_text(), "run `make openapi`"


def test_every_reference_leads_somewhere() -> None:
    document = openapi()
    schemas = document["components"]["schemas"]
    assert {each.removeprefix("#/components/schemas/") for each in references(document)} <= schemas.keys()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.key)
def test_a_route_tells_its_parameters_body_answers_and_refusals(route: Route) -> None:
    told = operation(route)
    assert ("requestBody" in told) == route.takes_body
    assert {int(status) for status in told["responses"]} == {*route.answers, *route.refusals}
    names = [each["name"] for each in told.get("parameters", [])]
    assert ("name" in names) == ("{name}" in route.path or (route.query is not None and "name" in names))
    assert ("Idempotency-Key" in names) == route.takes_token


def test_operations_have_names_of_their_own() -> None:
    assert len({route.operation for route in ROUTES}) == len(ROUTES) == len({route.key for route in ROUTES})


def test_everything_is_signed() -> None:
    document = json.loads(openapi_text())
    assert document["security"] == [{"sigv4": []}]
    assert not any("security" in told for methods in document["paths"].values() for told in methods.values())
