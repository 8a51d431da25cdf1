"""A request as the body of Docker's `POST /containers/create`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from swarmkeeper.adapters.engine.recall import LABEL_RECORD, record_label
from swarmkeeper.domain.model import Request
from swarmkeeper.errors import InvalidInput

LABEL_FLEET = "swarmkeeper.fleet"
LABEL_NAME = "swarmkeeper.name"
LABEL_REQUEST = "swarmkeeper.request"
LABEL_ALIASES = "swarmkeeper.aliases"
"""The further names, comma-separated: after `stop` the engine itself no longer knows them."""
OWN_LABELS = frozenset({LABEL_FLEET, LABEL_NAME, LABEL_REQUEST, LABEL_ALIASES, LABEL_RECORD})


def create_body(request: Request, *, fleet: str, image: str = "") -> dict[str, object]:
    """The request's own body with image, limits, network and our labels set as decided; another `image` if given.

    The container is attached to the request's network alone, under its name and the aliases that its body asks
    for. Our labels win over the user's. Raises InvalidInput when the body is not a JSON object.
    """
    body = _parsed(request.body)
    aliases = _aliases(body, request)
    record = {LABEL_RECORD: record_label(request, body)}
    body["Image"] = image or request.image
    body["Labels"] = _section(body, "Labels") | _labels(request, fleet, aliases) | record
    body["HostConfig"] = _section(body, "HostConfig") | _limits(request)
    if request.network:
        body["HostConfig"] = _section(body, "HostConfig") | {"NetworkMode": request.network}
        body["NetworkingConfig"] = {"EndpointsConfig": {request.network: _endpoint(body, request.network, aliases)}}
    return body


def digest_of(request: Request) -> str:
    """What tells one request from another under the same name, even when they ask for the same."""
    return hashlib.sha256(f"{request.id}\n{request.body}".encode()).hexdigest()


def aliases_of(name: str, labels: Mapping[str, str]) -> list[str]:
    """All names of a container that was made with these labels, its own first."""
    return [name, *filter(None, labels.get(LABEL_ALIASES, "").split(","))]


def _parsed(text: str) -> dict[str, object]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise InvalidInput("request", "is not JSON") from error
    if not isinstance(body, dict):
        raise InvalidInput("request", "is not a JSON object")
    return body


def _section(body: Mapping[str, object], name: str) -> dict[str, object]:
    """The object under the name, empty where it is missing or null."""
    section = body.get(name) or {}
    if not isinstance(section, dict):
        raise InvalidInput(name, "is not an object")
    return section


def _labels(request: Request, fleet: str, aliases: list[str]) -> dict[str, str]:
    labels = {LABEL_FLEET: fleet, LABEL_NAME: request.name, LABEL_REQUEST: digest_of(request)}
    further = ",".join(aliases[1:])
    return labels | ({LABEL_ALIASES: further} if further else {})


def _limits(request: Request) -> dict[str, int]:
    """The reservation as limits; 0 is Docker's word for none, as it is ours for nothing reserved."""
    return {"NanoCpus": request.reservation.nano_cpus, "Memory": request.reservation.memory_bytes}


def _aliases(body: Mapping[str, object], request: Request) -> list[str]:
    """The container's name, then the aliases that its body asks for on any network, each once."""
    endpoints = _section(_section(body, "NetworkingConfig"), "EndpointsConfig")
    asked = [alias for network in endpoints for alias in _names(_section(endpoints, network).get("Aliases"))]
    return list(dict.fromkeys([str(request.name), *asked]))


def _names(value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidInput("NetworkingConfig.EndpointsConfig.Aliases", "is not a list of names")
    return value


def _endpoint(body: Mapping[str, object], network: str, aliases: list[str]) -> dict[str, object]:
    endpoints = _section(_section(body, "NetworkingConfig"), "EndpointsConfig")
    return _section(endpoints, network) | {"Aliases": aliases}
