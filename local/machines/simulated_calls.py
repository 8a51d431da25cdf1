"""The calls of the Engine API that the adapter makes, done on a simulated engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

from local.machines.simulated_container import DEFAULT_NETWORK, bad_request, section
from local.machines.simulated_engine import VERSION, SimulatedEngine
from local.machines.simulated_http import HttpRequest, HttpResponse
from local.machines.simulated_images import image_id
from local.machines.simulated_network import Refusal
from local.machines.simulated_swarm import MANAGER, WORKER

API_VERSION = (1, 41)
TRUE = frozenset({"1", "true", "True"})


@dataclass(frozen=True, slots=True)
class Call:
    """One API call: `subject` is the container, network or node that the path names."""

    engine: SimulatedEngine
    request: HttpRequest
    subject: str = ""

    def flag(self, name: str) -> bool:
        return self.request.query.get(name, "") in TRUE

    def filter(self, name: str) -> list[str]:
        """The values of one filter of the `filters` parameter. Raises Refusal."""
        return [str(value) for value in _filters(self.request).get(name, ())]

    def body(self) -> dict[str, object]:
        """The JSON object sent. Raises Refusal."""
        value = _json(self.request.body or b"{}")
        if not isinstance(value, dict):
            raise bad_request("the body is not a JSON object")
        return value


def _json(text: str | bytes) -> object:
    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise bad_request(f"invalid JSON: {error}") from error
    return value


def _filters(request: HttpRequest) -> dict[str, list[object]]:
    value = _json(request.query.get("filters", "{}"))
    if not isinstance(value, dict):
        raise bad_request("invalid filter")
    return value


def _ping(call: Call) -> HttpResponse:
    return HttpResponse(HTTPStatus.OK, "OK")


def _version(call: Call) -> HttpResponse:
    newest = ".".join(map(str, API_VERSION))
    return HttpResponse(HTTPStatus.OK, {"Version": VERSION, "ApiVersion": newest, "MinAPIVersion": "1.12"})


def _info(call: Call) -> HttpResponse:
    return HttpResponse(HTTPStatus.OK, call.engine.info())


def _create(call: Call) -> HttpResponse:
    made = call.engine.create(call.request.query.get("name", ""), call.body())
    return HttpResponse(HTTPStatus.CREATED, {"Id": made, "Warnings": []})


def _start(call: Call) -> HttpResponse:
    return _changed(call.engine.start(call.subject))


def _stop(call: Call) -> HttpResponse:
    return _changed(call.engine.stop(call.subject))


def _changed(changed: bool) -> HttpResponse:
    return HttpResponse(HTTPStatus.NO_CONTENT if changed else HTTPStatus.NOT_MODIFIED)


def _wait(call: Call) -> HttpResponse:
    """A container that is waited for ends at once, and well: no process runs here."""
    call.engine.stop(call.subject)
    return HttpResponse(HTTPStatus.OK, {"StatusCode": 0})


def _inspect_volume(call: Call) -> HttpResponse:
    options = call.engine.volumes.get(call.subject)
    if options is None:
        raise Refusal(HTTPStatus.NOT_FOUND, f"get {call.subject}: no such volume")
    return HttpResponse(HTTPStatus.OK, {"Name": call.subject, "Driver": "local", "Options": options})


def _remove(call: Call) -> HttpResponse:
    call.engine.remove(call.subject, force=call.flag("force"))
    return HttpResponse(HTTPStatus.NO_CONTENT)


def _list(call: Call) -> HttpResponse:
    ids = call.filter("id")
    listed = call.engine.listed(stopped_too=call.flag("all"), labels=call.filter("label"))
    found = [one for one in listed if not ids or any(one.id.startswith(each) for each in ids)]
    return HttpResponse(HTTPStatus.OK, [one.listed(with_size=call.flag("size")) for one in found])


def _inspect(call: Call) -> HttpResponse:
    return HttpResponse(HTTPStatus.OK, call.engine.container(call.subject).inspected())


def _logs(call: Call) -> HttpResponse:
    """The output, each line in a frame of Docker's (stream, three zeros, length) unless it has a terminal."""
    tail = call.request.query.get("tail", "all")
    container = call.engine.container(call.subject)
    output = container.output
    lines = output[-int(tail) :] if tail.isdecimal() and int(tail) else output if tail == "all" else []
    if container.has_terminal:
        return HttpResponse(HTTPStatus.OK, b"".join(lines))
    framed = (b"\x01\0\0\0" + len(line).to_bytes(4, "big") + line for line in lines)
    return HttpResponse(HTTPStatus.OK, b"".join(framed))


def _stats(call: Call) -> HttpResponse:
    if call.flag("stream") or not call.flag("one-shot"):
        raise bad_request("only single figures are simulated")
    return HttpResponse(HTTPStatus.OK, call.engine.container(call.subject).measured())


def _networks(call: Call) -> HttpResponse:
    parts = call.filter("name")  # the engine finds every network whose name contains one of them
    found = [one for one in call.engine.networks() if not parts or any(part in one.name for part in parts)]
    return HttpResponse(HTTPStatus.OK, [network.described() for network in found])


def _create_network(call: Call) -> HttpResponse:
    return HttpResponse(HTTPStatus.CREATED, {"Id": call.engine.create_network(call.body()).id, "Warning": ""})


def _inspect_network(call: Call) -> HttpResponse:
    if call.subject == DEFAULT_NETWORK:  # made anew at each start of the engine
        began = call.engine.began.isoformat().replace("+00:00", "Z")
        return HttpResponse(HTTPStatus.OK, {"Name": DEFAULT_NETWORK, "Scope": "local", "Created": began})
    for network in call.engine.networks():
        if call.subject in {network.id, network.name}:
            return HttpResponse(HTTPStatus.OK, network.described())
    raise Refusal(HTTPStatus.NOT_FOUND, f"network {call.subject} not found")


def _remove_network(call: Call) -> HttpResponse:
    call.engine.remove_network(call.subject)
    return HttpResponse(HTTPStatus.NO_CONTENT)


def _connect(call: Call) -> HttpResponse:
    body = call.body()
    call.engine.connect(call.subject, str(body.get("Container")), section(body, "EndpointConfig"))
    return HttpResponse(HTTPStatus.OK)


def _disconnect(call: Call) -> HttpResponse:
    call.engine.disconnect(call.subject, str(call.body().get("Container")))
    return HttpResponse(HTTPStatus.OK)


def _swarm(call: Call) -> HttpResponse:
    swarm = call.engine.managed()
    tokens = {role.capitalize(): token for role, token in swarm.tokens.items()}
    described = {"ID": swarm.id, "Version": {"Index": swarm.version}, "Spec": {"Name": "default"}, "JoinTokens": tokens}
    return HttpResponse(HTTPStatus.OK, described)


def _update_swarm(call: Call) -> HttpResponse:
    version = call.request.query.get("version", "")
    if not version.isdecimal():
        raise bad_request(f"invalid swarm version '{version}'")
    rotated = [role for role in (WORKER, MANAGER) if call.flag(f"rotate{role.capitalize()}Token")]
    call.engine.managed().rotate(int(version), rotated)
    return HttpResponse(HTTPStatus.OK)


def _nodes(call: Call) -> HttpResponse:
    roles = call.filter("role")
    return HttpResponse(HTTPStatus.OK, call.engine.managed().nodes(roles or (WORKER, MANAGER)))


def _inspect_node(call: Call) -> HttpResponse:
    return HttpResponse(HTTPStatus.OK, call.engine.managed().node(call.subject))


def _update_node(call: Call) -> HttpResponse:
    version = call.request.query.get("version", "")
    if not version.isdecimal():
        raise bad_request(f"invalid node version '{version}'")
    call.engine.managed().update(call.subject, int(version), call.body())
    return HttpResponse(HTTPStatus.OK)


def _remove_node(call: Call) -> HttpResponse:
    call.engine.managed().remove(call.subject, force=call.flag("force"))
    return HttpResponse(HTTPStatus.OK)


def _image(reference: str) -> dict[str, object]:
    return {"Id": image_id(reference), "RepoDigests" if "@" in reference else "RepoTags": [reference]}


def _inspect_image(call: Call) -> HttpResponse:
    for reference in call.engine.images:
        if unquote(call.subject) in {image_id(reference), reference}:
            saved = [str(number) for number, _ in enumerate(call.engine.layers.get(reference, ()))]
            layers = [image_id(f"{reference}/{each}") for each in ("base", *saved)]
            return HttpResponse(HTTPStatus.OK, {**_image(reference), "RootFS": {"Type": "layers", "Layers": layers}})
    raise Refusal(HTTPStatus.NOT_FOUND, f"No such image: {call.subject}")


def _images(call: Call) -> HttpResponse:
    return HttpResponse(HTTPStatus.OK, [_image(reference) for reference in sorted(call.engine.images)])


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API: how it is asked for (`pattern` is the whole path) and who does it."""

    name: str
    method: str
    pattern: str
    handle: Callable[[Call], HttpResponse]


OPERATIONS = (
    Operation("ping", "GET", "/_ping", _ping),
    Operation("version", "GET", "/version", _version),
    Operation("info", "GET", "/info", _info),
    Operation("images", "GET", "/images/json", _images),
    Operation("inspect image", "GET", "/images/(.+)/json", _inspect_image),
    Operation("create", "POST", "/containers/create", _create),
    Operation("list", "GET", "/containers/json", _list),
    Operation("inspect", "GET", "/containers/([^/]+)/json", _inspect),
    Operation("logs", "GET", "/containers/([^/]+)/logs", _logs),
    Operation("stats", "GET", "/containers/([^/]+)/stats", _stats),
    Operation("start", "POST", "/containers/([^/]+)/start", _start),
    Operation("stop", "POST", "/containers/([^/]+)/stop", _stop),
    Operation("wait", "POST", "/containers/([^/]+)/wait", _wait),
    Operation("inspect volume", "GET", "/volumes/([^/]+)", _inspect_volume),
    Operation("remove", "DELETE", "/containers/([^/]+)", _remove),
    Operation("networks", "GET", "/networks", _networks),
    Operation("create network", "POST", "/networks/create", _create_network),
    Operation("inspect network", "GET", "/networks/([^/]+)", _inspect_network),
    Operation("remove network", "DELETE", "/networks/([^/]+)", _remove_network),
    Operation("connect", "POST", "/networks/([^/]+)/connect", _connect),
    Operation("disconnect", "POST", "/networks/([^/]+)/disconnect", _disconnect),
    Operation("swarm", "GET", "/swarm", _swarm),
    Operation("update swarm", "POST", "/swarm/update", _update_swarm),
    Operation("nodes", "GET", "/nodes", _nodes),
    Operation("inspect node", "GET", "/nodes/([^/]+)", _inspect_node),
    Operation("update node", "POST", "/nodes/([^/]+)/update", _update_node),
    Operation("remove node", "DELETE", "/nodes/([^/]+)", _remove_node),
)
"""Everything that is served; faults are given these names."""
