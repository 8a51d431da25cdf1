"""What the placement function answers its direct callers, as plain JSON values."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from swarmkeeper.domain.model import Container, ContainerState, Node
from swarmkeeper.domain.placement.scheduler import Decision
from swarmkeeper.edge.problems import not_found, problem_of
from swarmkeeper.edge.views import ContainerView, DecisionView, NodeView, View
from swarmkeeper.errors import SwarmkeeperError

Answer = dict[str, Any]


def status_of(container: Container) -> HTTPStatus:
    """201 when it runs, 202 while it waits for a node, an image or an engine."""
    return HTTPStatus.CREATED if container.state is ContainerState.RUNNING else HTTPStatus.ACCEPTED


def created(container: Container) -> Answer:
    return {"status": int(status_of(container)), "container": json_of(ContainerView.of(container))}


def removed(name: str, container: Container | None) -> Answer:
    """200; 404 for a name that is not in use, also when it was removed before."""
    if container is None:
        return failed(HTTPStatus.NOT_FOUND, "name", not_found(name).detail)
    return {"status": int(HTTPStatus.OK), "container": json_of(ContainerView.of(container))}


def listed(containers: tuple[Container, ...], nodes: tuple[Node, ...]) -> Answer:
    return {
        "status": int(HTTPStatus.OK),
        "containers": [json_of(ContainerView.of(each)) for each in containers],
        "nodes": [json_of(NodeView.of(each)) for each in nodes],
    }


def explained(decision: Decision) -> Answer:
    return {"status": int(HTTPStatus.OK), "decision": json_of(DecisionView.of(decision))}


def refused(error: SwarmkeeperError) -> Answer:
    """The caller's error, named; statuses are those of HTTP. Raises an error that isn't the caller's."""
    problem = problem_of(error)
    return failed(HTTPStatus(problem.status), problem.field or "", problem.detail)


def failed(status: HTTPStatus, field: str, message: str) -> Answer:
    return {"status": int(status), "error": {"field": field, "message": message}}


def json_of(view: View) -> Answer:
    return view.model_dump(mode="json")
