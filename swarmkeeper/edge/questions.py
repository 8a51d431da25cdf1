"""A question to placement offline: a cluster's file and a request's file."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from swarmkeeper.domain.model import ContainerName, Request, Resources
from swarmkeeper.domain.placement.expressions import InvalidExpression
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.edge.clusters import BadFile, ClusterFile, RequestEntry, bad_file, check_unique
from swarmkeeper.edge.create_body import CreateBody
from swarmkeeper.edge.patterns import compile_re2
from swarmkeeper.edge.rules import take_out
from swarmkeeper.errors import InvalidInput

GPU = "gpu"


def read_cluster(path: Path, *, count_stopped: bool = True) -> list[NodeFacts]:
    """The nodes of a `{"nodes": [...]}` file. Raises BadFile naming the field."""
    try:
        cluster = ClusterFile.model_validate_json(path.read_bytes())
        check_unique(cluster.nodes)
    except ValidationError as error:
        raise bad_file(error, str(path)) from error
    except BadFile as error:
        raise BadFile(str(path), str(error)) from error
    return [node.facts(count_stopped=count_stopped) for node in cluster.nodes]


def read_request(path: Path, *, default_memory_bytes: int = 0) -> Request:
    """A request in the conformance data's format, or Docker's create body. Raises BadFile naming the field.

    Docker's fields begin with a capital, the others' don't. A body without a memory limit reserves the default,
    as in a fleet.
    """
    content = _object_in(path)
    try:
        if any(key[:1].isupper() for key in content):
            return _from_docker(CreateBody.model_validate({"Name": "request", **content}), default_memory_bytes)
        return RequestEntry.model_validate_json(json.dumps(content)).request()
    except ValidationError as error:
        raise bad_file(error, str(path)) from error
    except (InvalidInput, InvalidExpression) as error:
        raise BadFile(str(path), str(error)) from error


def _object_in(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadFile(str(path), f"is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise BadFile(str(path), "is not a JSON object")
    return content


def _from_docker(body: CreateBody, default_memory_bytes: int) -> Request:
    """What placement reads of the body; whether a fleet would admit it is not asked."""
    host = body.HostConfig
    gpus = sum(each.Count for each in host.DeviceRequests)
    return Request(
        name=ContainerName(body.Name),
        image=body.Image,
        reservation=Resources.of(host.NanoCpus, host.Memory or default_memory_bytes, {GPU: gpus}),
        rules=take_out(body, compile_re2).rules,
        labels=body.Labels,
    )
