"""An HTTP API's access log: one line a request, in the format that its stage asks for."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from local.aws.http_events import HttpAnswer
from local.aws.signatures import Signed

VARIABLE = re.compile(r"\$context\.[A-Za-z.]+")


class AccessLog:
    """Appends to a file; without one nothing is written."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()

    def write(
        self, settings: Mapping[str, str] | None, request: Signed, *, route: str, caller: str, answer: HttpAnswer
    ) -> None:
        """Variables that aren't known here are dashes, as on AWS."""
        wanted = (settings or {}).get("format")
        if self._path is None or not wanted:
            return
        facts = {
            "$context.identity.userArn": caller,
            "$context.identity.sourceIp": "127.0.0.1",
            "$context.requestTime": datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "$context.routeKey": route,
            "$context.path": request.path,
            "$context.status": str(answer.status),
            "$context.responseLength": str(len(answer.body)),
        }
        line = VARIABLE.sub(lambda found: json.dumps(facts.get(found[0], "-"))[1:-1], wanted)
        with self._lock, self._path.open("a", encoding="utf-8") as log:
            log.write(line + "\n")
