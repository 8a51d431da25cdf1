"""The HTTP API's OpenAPI document, made from its routes and models: `python -m swarmkeeper.edge.openapi FILE`."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from swarmkeeper import __version__
from swarmkeeper.edge.create_body import CreateBody
from swarmkeeper.edge.problems import Problem
from swarmkeeper.edge.routes import ROUTES, Route

REFERENCE = "#/components/schemas/{model}"
Json = dict[str, Any]
MEANINGS = {
    400: "The request is wrong; `field` says where.",
    403: "The caller may not, or the tenant's quota is used up.",
    404: "There is no such thing, or it is not the caller's.",
    409: "The name is in use, or somebody else was faster.",
    422: "The idempotency key was used with another body.",
    503: "Something did not answer; try again in a moment.",
}
"""What refusals mean here; the standard library's phrases differ between versions of Python."""


@cache
def openapi_text() -> str:
    """The document as JSON text, the same for the same version of the code."""
    return json.dumps(openapi(), indent=2) + "\n"


def openapi() -> Json:
    schemas = _schemas()
    paths: dict[str, Json] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Swarmkeeper",
            "version": __version__,
            "description": "Places containers on a fleet of Docker engines. Requests are signed (AWS Signature "
            "Version 4, service `execute-api`); refusals are problem details (RFC 9457).",
        },
        "security": [{"sigv4": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                }
            },
        },
    }


def _schemas() -> Json:
    views = dict.fromkeys(route.view for route in ROUTES if route.view is not None)
    _, definitions = models_json_schema(
        [(CreateBody, "validation"), *((view, "serialization") for view in views), (Problem, "serialization")],
        ref_template=REFERENCE,
    )
    found: Json = definitions["$defs"]
    return found


def _operation(route: Route) -> Json:
    operation: Json = {"operationId": route.operation, "summary": route.summary}
    if parameters := [*_path_parameters(route), *_query_parameters(route), *_token(route)]:
        operation["parameters"] = parameters
    if route.takes_body:
        operation["requestBody"] = {"required": True, "content": _content("application/json", CreateBody)}
    operation["responses"] = {
        **{str(status): _success(route, meaning) for status, meaning in route.answers.items()},
        **{str(status): _refusal(status) for status in route.refusals},
    }
    return operation


def _success(route: Route, meaning: str) -> Json:
    if route.view is not None:
        return {"description": meaning, "content": _content("application/json", route.view)}
    kind = "application/json" if route.path.endswith(".json") else "text/plain"
    return {"description": meaning, "content": {kind: {"schema": {"type": "object" if "json" in kind else "string"}}}}


def _refusal(status: int) -> Json:
    return {"description": MEANINGS[status], "content": _content("application/problem+json", Problem)}


def _content(kind: str, model: type[BaseModel]) -> Json:
    return {kind: {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}}


def _path_parameters(route: Route) -> list[Json]:
    if "{name}" not in route.path:
        return []
    return [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]


def _query_parameters(route: Route) -> list[Json]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema(mode="validation")
    described = [{"name": name, **_flat(part, schema)} for name, part in schema["properties"].items()]
    return [_parameter(part.pop("name"), part) for part in described]


def _parameter(name: str, shape: Json) -> Json:
    description = {"description": shape.pop("description")} if "description" in shape else {}
    return {"name": name, "in": "query", **description, "schema": shape}


def _flat(part: Json, schema: Json) -> Json:
    """A property without references into its own schema: a parameter has no definitions of its own."""
    flat = {key: value for key, value in part.items() if key != "title"}
    reference = flat.get("items", {}).get("$ref", "")
    if reference:
        flat["items"] = schema["$defs"][reference.rpartition("/")[2]]
    return flat


def _token(route: Route) -> list[Json]:
    if not route.takes_token:
        return []
    text = "The same key with the same body is one request; with another body it is refused. Kept for a day."
    shape = {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"}
    return [{"name": "Idempotency-Key", "in": "header", "description": text, "schema": shape}]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(openapi_text(), encoding="utf-8")
