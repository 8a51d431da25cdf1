"""The HTTP API: each route's part of the operations."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from functions.placement.fleet_operations import FleetOperations
from functions.placement.operations import Operations
from swarmkeeper.domain.model import NodeId, PoolName
from swarmkeeper.domain.rotation import Rotation
from swarmkeeper.edge.answers import status_of
from swarmkeeper.edge.http_event import HttpAnswer, HttpEvent, answer, document, http_event, plain, refusal
from swarmkeeper.edge.problems import invalid, no_decision, no_node, not_allowed, not_found, problem_of
from swarmkeeper.edge.routes import ContainersQuery, DecisionsQuery, LogsQuery
from swarmkeeper.edge.scaling_views import ScalingDecisionsView, ScalingDecisionView, ScalingSummaryView
from swarmkeeper.edge.tenants import Scope
from swarmkeeper.edge.token_views import TokensView
from swarmkeeper.edge.views import ContainersView, ContainerView, DecisionView, NodesView, NodeView
from swarmkeeper.errors import InvalidInput, SwarmkeeperError
from swarmkeeper.services.listing import Selection
from swarmkeeper.services.tokens import RotationRequests

Serve = Callable[[HttpEvent, Scope], HttpAnswer]
FOR_EVERYBODY = not_allowed("only who acts for every tenant may do this")


class HttpApi:
    """Serves requests that API Gateway has authenticated; refuses those that it hasn't, whatever the wiring says."""

    def __init__(self, operations: Operations, fleet: FleetOperations, rotations: RotationRequests) -> None:
        self._operations = operations
        self._fleet = fleet
        self._rotations = rotations
        self._served: dict[str, Serve] = {
            "POST /containers": self._create,
            "GET /containers": self._list,
            "GET /containers/{name}": self._get,
            "DELETE /containers/{name}": self._remove,
            "GET /containers/{name}/logs": self._logs,
            "GET /containers/{name}/explain": self._explain_anew,
            "POST /explain": self._explain,
            "GET /nodes": self._nodes,
            "PUT /nodes/{name}/protection": self._protect,
            "DELETE /nodes/{name}/protection": self._unprotect,
            "PUT /nodes/{name}/drain": self._drain,
            "DELETE /nodes/{name}/drain": self._undrain,
            "GET /scaling/decisions": self._decisions,
            "GET /scaling/decisions/{name}": self._decision,
            "GET /tokens": self._tokens,
            "POST /tokens/rotation": self._rotate_tokens,
            "GET /openapi.json": self._openapi,
        }

    def serve(self, raw: object) -> HttpAnswer:
        """The answer, a refusal too. Raises what is a fault of ours."""
        try:
            event = http_event(raw)
            if event.caller is None:
                return refusal(not_allowed("the request is not signed"))
            serve = self._served.get(event.route_key)
            if serve is None:
                return refusal(invalid("path", f"{event.route_key} is not served"))
            return serve(event, self._operations.scope_of(event.caller))
        except SwarmkeeperError as error:
            return refusal(problem_of(error))

    @property
    def routes(self) -> frozenset[str]:
        """What is served."""
        return frozenset(self._served)

    def _create(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        container = self._operations.create(event.json_body(), scope=scope, token=event.token())
        return answer(status_of(container), ContainerView.of(container))

    def _list(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        query = event.query(ContainersQuery)
        page = self._operations.page(_selection(query, scope), limit=query.limit, after=_position(query.next))
        containers = [ContainerView.of(each) for each in page.containers]
        return answer(200, ContainersView(containers=containers, next=_token(page.next) or None))

    def _get(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        found = self._operations.container(event.name, scope=scope)
        return refusal(not_found(event.name)) if found is None else answer(200, ContainerView.of(found))

    def _remove(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        removed = self._operations.remove(event.name, scope=scope)
        return refusal(not_found(event.name)) if removed is None else answer(200, ContainerView.of(removed))

    def _logs(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        found = self._operations.logs(event.name, tail=event.query(LogsQuery).tail, scope=scope)
        if found is None:
            return refusal(not_found(event.name))
        return plain(found.text, {"swarmkeeper-cut": "true"} if found.is_cut else {})

    def _explain(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        return answer(200, DecisionView.of(self._operations.explain(event.json_body(), scope=scope)))

    def _explain_anew(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        found = self._operations.explain_anew(event.name, scope=scope)
        return refusal(not_found(event.name)) if found is None else answer(200, DecisionView.of(found))

    def _nodes(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        return answer(200, NodesView(nodes=[NodeView.of(each) for each in self._fleet.nodes()]))

    def _protect(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        return self._protected(event, scope, protected=True)

    def _unprotect(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        return self._protected(event, scope, protected=False)

    def _protected(self, event: HttpEvent, scope: Scope, *, protected: bool) -> HttpAnswer:
        if not scope.is_whole:
            return refusal(FOR_EVERYBODY)
        node = self._fleet.protect(NodeId(event.name), protected=protected)
        return refusal(no_node(event.name)) if node is None else answer(200, NodeView.of(node))

    def _drain(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        if not scope.is_whole:
            return refusal(FOR_EVERYBODY)
        node = self._fleet.drain(NodeId(event.name))
        return refusal(no_node(event.name)) if node is None else answer(200, NodeView.of(node))

    def _undrain(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        if not scope.is_whole:
            return refusal(FOR_EVERYBODY)
        node = self._fleet.undrain(NodeId(event.name))
        return refusal(no_node(event.name)) if node is None else answer(200, NodeView.of(node))

    def _decisions(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        """Decisions name every tenant's containers, so only who acts for all of them is told."""
        if not scope.is_whole:
            return refusal(FOR_EVERYBODY)
        query = event.query(DecisionsQuery)
        pool = PoolName(query.pool) if query.pool else None
        found, following = self._fleet.decisions(pool, since=query.since, limit=query.limit, after=query.next)
        views = [ScalingSummaryView.of(each) for each in found]
        return answer(200, ScalingDecisionsView(decisions=views, next=following or None))

    def _decision(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        if not scope.is_whole:
            return refusal(FOR_EVERYBODY)
        found = self._fleet.decision(event.name)
        return refusal(no_decision(event.name)) if found is None else answer(200, ScalingDecisionView.of(found))

    def _tokens(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        return self._told_of_tokens(200, self._rotations.standing, scope)

    def _rotate_tokens(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        return self._told_of_tokens(202, self._rotations.ask, scope)

    def _told_of_tokens(self, status: int, standing: Callable[[], Rotation], scope: Scope) -> HttpAnswer:
        return answer(status, TokensView.of(standing())) if scope.is_whole else refusal(FOR_EVERYBODY)

    def _openapi(self, event: HttpEvent, scope: Scope) -> HttpAnswer:
        from swarmkeeper.edge.openapi import openapi_text  # here, so that no cold start pays for making schemas

        return document(openapi_text())


def summary(event: dict[str, Any], served: HttpAnswer) -> dict[str, Any]:
    """What of a request and its answer goes into the log: no bodies, no listings."""
    identity = (event.get("requestContext", {}).get("authorizer") or {}).get("iam") or {}
    name = (event.get("pathParameters") or {}).get("name")
    refused = served["body"] if served["statusCode"] >= 400 else None
    return {
        "route": event.get("routeKey"),
        "status": served["statusCode"],
        "subject": name,
        "caller": identity.get("userArn"),
        "error": refused,
    }


def _selection(query: ContainersQuery, scope: Scope) -> Selection:
    pairs = (label.partition("=") for label in query.label)
    return Selection(
        visible=scope,
        states=frozenset(state.stored for state in query.state),
        tenant=query.tenant,
        node=query.node,
        labels=tuple((key, value if equals else None) for key, equals, value in pairs),
        name_prefix=query.name,
    )


def _token(position: str) -> str:
    return base64.urlsafe_b64encode(position.encode()).decode()


def _position(token: str) -> str:
    """Raises InvalidInput for what is no token of ours."""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidInput("next", "is not what a page before returned") from error
