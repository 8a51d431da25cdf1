"""What looking at a fleet takes. DynamoDB's answers are made in this process, so that all but the network is real."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from time import process_time
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from swarmkeeper.adapters.aws.container_items import container_item
from swarmkeeper.adapters.aws.items import NODE, Item, hold_key, node_key
from swarmkeeper.adapters.aws.node_items import node_item
from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.domain.model import Node
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot
from swarmkeeper.services.known_contents import KnownContents

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "bench"
CHANGED = 10
"""Nodes that have changed between two looks."""


def observed(fleet: FleetSnapshot) -> dict[str, object]:
    """CPU and calls of a function's first look at all nodes and what they hold, and of one after some have changed."""
    answers = Answers(fleet)
    store = DynamoStore(answers.client(), TABLE)
    contents = KnownContents(store)
    first = _look(store, contents, answers)
    answers.change(list(fleet.nodes)[:CHANGED])
    return {"first": first, f"after {CHANGED} nodes changed": _look(store, contents, answers)}


def _look(store: DynamoStore, contents: KnownContents, answers: Answers) -> dict[str, object]:
    answers.calls.clear()
    began = process_time()
    contents.of(store.nodes())
    return {"cpu_s": round(process_time() - began, 4), **answers.calls}


class Answers:
    """Answers what a store asks of the table that this fleet would be in; counts the calls by operation."""

    def __init__(self, fleet: FleetSnapshot) -> None:
        self.calls: Counter[str] = Counter()
        self._items: dict[str, str] = {}
        self._held: dict[str, list[str]] = {}
        self._nodes: list[str] = []
        for node in fleet.nodes:
            self._keep(node_item(node))
            self._nodes.append(json.dumps(node_key(node.id)))
            held = fleet.containers_on(node.id)
            self._held[f"{NODE}{node.id}"] = [json.dumps(hold_key(node.id, each.name)) for each in held]
            for container in held:
                self._keep(container_item(container))

    def change(self, nodes: Iterable[Node]) -> None:
        """What these nodes hold has changed, though not visibly."""
        for node in nodes:
            self._keep(node_item(replace(node, revision=node.revision + 1)))

    def client(self) -> DynamoDBClient:
        """A real client whose requests end here."""
        client = boto3.client(
            "dynamodb",
            region_name="eu-central-1",
            aws_access_key_id="bench",
            aws_secret_access_key="bench",  # noqa: S106  nobody sees what is signed with it
        )
        client.meta.events.register("before-send.dynamodb", self.answer)  # type: ignore[arg-type]  # what it returns is sent
        return client

    def answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """The answer to a Query or a BatchGetItem."""
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else str(target)).rpartition(".")[2]
        self.calls[operation] += 1
        asked = json.loads(request.body)  # type: ignore[arg-type]  # DynamoDB's are bytes
        text = self._queried(asked) if operation == "Query" else self._got(asked)
        return AWSResponse(request.url, 200, HTTPHeaders(), Body(text.encode()))

    def _queried(self, asked: Mapping[str, Any]) -> str:
        of = asked["ExpressionAttributeValues"]
        found = self._nodes if ":kind" in of else self._held.get(of[":pk"]["S"], [])
        return f'{{"Items": [{", ".join(found)}]}}'

    def _got(self, asked: Mapping[str, Any]) -> str:
        keys = asked["RequestItems"][TABLE]["Keys"]
        found = [self._items[key["pk"]["S"]] for key in keys if key["pk"]["S"] in self._items]
        return f'{{"Responses": {{"{TABLE}": [{", ".join(found)}]}}, "UnprocessedKeys": {{}}}}'

    def _keep(self, item: Item) -> None:
        self._items[item["pk"]["S"]] = json.dumps(item)


class Body:
    """The bytes of an answer, as a connection would give them."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        """All at once."""
        yield self._content
