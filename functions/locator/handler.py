"""The locator function: which node has the container of a name, for routers that don't know the name themselves.

They ask through a load balancer inside the VPC. A look is not logged, for there may be a million of them; one that
fails is an error of Lambda's, and 502 for the router.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.locator.http import answer_to, question_in
from functions.locator.wiring import build
from swarmkeeper.adapters.aws.container_places import ContainerPlaces
from swarmkeeper.adapters.aws.snapshots import on_snapshots


@cache
def wired() -> ContainerPlaces:  # built on the first event, kept while the environment is warm
    return build(os.environ)


on_snapshots(os.environ, prime=wired, forget=wired.cache_clear)


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Answer one request. Raises InvalidInput for what no load balancer sends, Unavailable when the table is silent."""
    return answer_to(question_in(event), wired().node_of)
