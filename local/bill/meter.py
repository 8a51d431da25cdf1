"""Counts what functions ask of AWS's APIs, in the units that AWS charges for."""

from __future__ import annotations

import io
import json
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from local.aws.asked import operation_of
from local.aws.obstacles import call_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

READ_UNIT, WRITE_UNIT = 4096, 1024
"""Bytes of a read unit and of a write unit of DynamoDB."""
INDEX_WRITES = 2
"""A record that changes leaves its old place in an index and takes a new one. Reckoned so for every write."""
BY_ENDPOINT = frozenset({"dynamodb", "s3"})
"""What the VPC reaches through gateway endpoints, so that no gateway's GB are paid for it."""

Counts = Counter[str]


class Meter:
    """Stands before AWS's APIs; counts are named `service:Operation`, `read units`, `write units`, `gateway bytes`."""

    def __init__(self) -> None:
        self._counts: Counts = Counter()
        self._lock = threading.Lock()

    def before(self, app: WSGIApplication) -> WSGIApplication:
        """An application that counts what functions ask of `app`."""

        def counting(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            call = call_of(environ)
            if call is None:
                return app(environ, start_response)
            asked = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(asked)
            answer = list(app(environ, start_response))
            operation = operation_of(environ.get("HTTP_X_AMZ_TARGET", ""), asked)
            self._note(counted(call.service, operation, asked, b"".join(answer)))
            return answer

        return counting

    def counts(self) -> Counts:
        """All that was counted so far."""
        with self._lock:
            return Counter(self._counts)

    def _note(self, more: Counts) -> None:
        with self._lock:
            self._counts.update(more)


def counted(service: str, operation: str, asked: bytes, answered: bytes) -> Counts:
    """What one request is charged for."""
    counts: Counts = Counter({f"{service}:{operation}": 1})
    if service not in BY_ENDPOINT:
        counts["gateway bytes"] = len(asked) + len(answered)
    if service == "dynamodb":
        request, answer = _object(asked), _object(answered)
        counts["read units"] = read_units(operation, request, answer)
        counts["write units"] = write_units(operation, request)
    if service == "events" and operation == "PutEvents":
        counts["events"] = len(_object(asked).get("Entries", ()))
    if service == "monitoring" and operation == "GetMetricData":
        counts["metrics read"] = len(_object(asked).get("MetricDataQueries", ()))
    return Counter({name: count for name, count in counts.items() if count})


def read_units(operation: str, request: Mapping[str, Any], answer: Mapping[str, Any]) -> int:
    """Units of a read, as consistent as it asks for; half units count as one.

    The answer's JSON is taken for the items' size: it holds them with their types, so it is rather more. What a filter
    left out is charged for too, in the same share as items were looked at.
    """
    if operation == "GetItem":
        return max(1, math.ceil(len(json.dumps(answer.get("Item", {}))) / READ_UNIT))
    if operation == "BatchGetItem":
        items = [item for found in answer.get("Responses", {}).values() for item in found]
        return sum(max(1, math.ceil(len(json.dumps(item)) / READ_UNIT)) for item in items)
    if operation not in ("Query", "Scan"):
        return 0
    size = len(json.dumps(answer.get("Items", [])))
    looked, given = int(answer.get("ScannedCount", 0)), int(answer.get("Count", 0))
    whole = size * looked / given if given else size
    half = 1 if request.get("ConsistentRead") else 2
    return max(1, math.ceil(whole / READ_UNIT / half))


def write_units(operation: str, request: Mapping[str, Any]) -> int:
    """Units of a write of items below one unit's size, its indexes with it; twice for each item of a transaction."""
    if operation == "TransactWriteItems":
        return sum(2 + (0 if "ConditionCheck" in one else INDEX_WRITES) for one in request.get("TransactItems", ()))
    if operation == "BatchWriteItem":
        return sum(1 + INDEX_WRITES for written in request.get("RequestItems", {}).values() for _ in written)
    return 1 + INDEX_WRITES if operation in ("PutItem", "UpdateItem", "DeleteItem") else 0


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(text or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


Look = Callable[[], Counts]
