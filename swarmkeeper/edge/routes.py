"""The HTTP API's routes: one table for API Gateway, the function that serves them, and OpenAPI."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from swarmkeeper.edge.scaling_views import ScalingDecisionsView, ScalingDecisionView
from swarmkeeper.edge.states import State
from swarmkeeper.edge.token_views import TokensView
from swarmkeeper.edge.views import ContainersView, ContainerView, DecisionView, NodesView, NodeView

LIMIT_MAX = 500
TAIL_MAX = 5000


class Query(BaseModel):
    """The parameters of a query; others are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ContainersQuery(Query):
    """Which containers are listed; every filter must hold, and one of the states where several are given."""

    state: tuple[State, ...] = ()
    tenant: Annotated[str, Field(max_length=40)] = ""
    node: Annotated[str, Field(max_length=40, description="The node that holds them, or will after a move.")] = ""
    label: Annotated[tuple[str, ...], Field(max_length=16, description="`KEY=VALUE`, or `KEY` for any value.")] = ()
    name: Annotated[str, Field(max_length=50, description="What their names begin with.")] = ""
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX, description="The most that a page holds; it may hold fewer.")] = 100
    next: Annotated[str, Field(max_length=1024, description="What the page before gave as `next`.")] = ""


class LogsQuery(Query):
    """How much is wanted of the end of the output."""

    tail: Annotated[int, Field(ge=1, le=TAIL_MAX, description="Lines.")] = 100


class DecisionsQuery(Query):
    """Which scaling decisions are listed."""

    pool: Annotated[str, Field(max_length=40)] = ""
    since: Annotated[float, Field(ge=0, description="Seconds since the epoch; decisions are kept for 30 days.")] = 0
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX, description="The most that a page holds; it may hold fewer.")] = 100
    next: Annotated[str, Field(max_length=1024, description="What the page before gave as `next`.")] = ""


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `answers` are the successes: status -> what it means; all give `view`, None for plain text."""

    method: str
    path: str
    operation: str
    summary: str
    answers: dict[int, str]
    view: type[BaseModel] | None = None
    query: type[Query] | None = None
    takes_body: bool = False
    takes_token: bool = False
    refusals: tuple[int, ...] = field(default=(400, 403, 503))

    @property
    def key(self) -> str:
        """As API Gateway names it."""
        return f"{self.method} {self.path}"


ROUTES = (
    Route(
        "POST",
        "/containers",
        "createContainer",
        "Place a container and start it; the same request again continues where the first one stopped.",
        {201: "It runs.", 202: "It is accepted and waits: for a node, its image, or its engine."},
        ContainerView,
        takes_body=True,
        takes_token=True,
        refusals=(400, 403, 409, 422, 503),
    ),
    Route(
        "GET",
        "/containers",
        "listContainers",
        "List containers, page by page.",
        {200: "A page."},
        ContainersView,
        ContainersQuery,
    ),
    Route(
        "GET",
        "/containers/{name}",
        "getContainer",
        "Tell how a container stands.",
        {200: "The container."},
        ContainerView,
        refusals=(403, 404, 503),
    ),
    Route(
        "DELETE",
        "/containers/{name}",
        "removeContainer",
        "Remove a container, whatever its state.",
        {200: "It is removed; the answer is its last record."},
        ContainerView,
        refusals=(403, 404, 409, 503),
    ),
    Route(
        "GET",
        "/containers/{name}/logs",
        "getLogs",
        "Read the end of a container's output from its engine.",
        {200: "Standard output and error; `swarmkeeper-cut: true` says that more was asked for than fits."},
        query=LogsQuery,
        refusals=(400, 403, 404, 409, 503),
    ),
    Route(
        "GET",
        "/containers/{name}/explain",
        "explainContainer",
        "Tell where a container would go if it were placed now, what it holds being free, and why not elsewhere.",
        {200: "The decision."},
        DecisionView,
        refusals=(403, 404, 503),
    ),
    Route(
        "POST",
        "/explain",
        "explain",
        "Tell where a request would go now, and why not elsewhere; nothing is reserved.",
        {200: "The decision."},
        DecisionView,
        takes_body=True,
    ),
    Route("GET", "/nodes", "listNodes", "List the nodes.", {200: "All nodes."}, NodesView, refusals=(403, 503)),
    Route(
        "PUT",
        "/nodes/{name}/protection",
        "protectNode",
        "Let scale-in leave a node alone.",
        {200: "It is protected; the answer is its record."},
        NodeView,
        refusals=(403, 404, 409, 503),
    ),
    Route(
        "DELETE",
        "/nodes/{name}/protection",
        "unprotectNode",
        "Let scale-in take a node again.",
        {200: "It is not protected; the answer is its record."},
        NodeView,
        refusals=(403, 404, 409, 503),
    ),
    Route(
        "PUT",
        "/nodes/{name}/drain",
        "drainNode",
        "Have a worker leave: what it holds is moved or waited for, and demand does not take it back.",
        {200: "It drains, or leaves already; the answer is its record."},
        NodeView,
        refusals=(403, 404, 409, 503),
    ),
    Route(
        "DELETE",
        "/nodes/{name}/drain",
        "undrainNode",
        "Let a node that drains serve on.",
        {200: "It serves; the answer is its record."},
        NodeView,
        refusals=(403, 404, 409, 503),
    ),
    Route(
        "GET",
        "/scaling/decisions",
        "listScalingDecisions",
        "List what was decided about the pools' sizes, the newest first, page by page.",
        {200: "A page."},
        ScalingDecisionsView,
        DecisionsQuery,
    ),
    Route(
        "GET",
        "/scaling/decisions/{name}",
        "getScalingDecision",
        "Tell why a pool's size was decided so.",
        {200: "The decision, with what it was made from."},
        ScalingDecisionView,
        refusals=(403, 404, 503),
    ),
    Route(
        "GET",
        "/tokens",
        "getTokens",
        "Tell when the join tokens were rotated; never what they are.",
        {200: "How they stand."},
        TokensView,
        refusals=(403, 503),
    ),
    Route(
        "POST",
        "/tokens/rotation",
        "rotateTokens",
        "Have the Swarm make new join tokens; those of before let nobody in any more.",
        {202: "It is asked for; `under_way` ends when the new ones are in place."},
        TokensView,
        refusals=(403, 503),
    ),
    Route("GET", "/openapi.json", "getOpenapi", "This document.", {200: "OpenAPI 3.1."}, refusals=(403,)),
)
