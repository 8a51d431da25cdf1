"""The fleet's own events on EventBridge."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.errors import aws_errors
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import Event

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

BATCH = 10  # PutEvents' limit


class EventBus:
    """Events on the account's default bus, from source `swarmkeeper.<fleet>`; every detail names the fleet."""

    def __init__(self, client: EventBridgeClient, fleet: str) -> None:
        self._client = client
        self._fleet = fleet

    def publish(self, event: Event, details: Sequence[Mapping[str, str]]) -> None:
        """Publish in batches. After Unavailable some may be out already; every handler bears a repetition."""
        entries = [self._entry(event, detail) for detail in details]
        for start in range(0, len(entries), BATCH):
            self._put(entries[start : start + BATCH])

    def _entry(self, event: Event, detail: Mapping[str, str]) -> PutEventsRequestEntryTypeDef:
        return {
            "Source": f"swarmkeeper.{self._fleet}",
            "DetailType": event.value,
            "Detail": json.dumps({**detail, "fleet": self._fleet}),
        }

    def _put(self, entries: Sequence[PutEventsRequestEntryTypeDef]) -> None:
        with aws_errors():
            answer = self._client.put_events(Entries=entries)
        # PutEvents answers 200 even when it took none of them.
        if failed := answer["FailedEntryCount"]:
            codes = sorted({entry["ErrorCode"] for entry in answer["Entries"] if "ErrorCode" in entry})
            raise Unavailable(f"PutEvents refused {failed} of {len(entries)} events: {', '.join(codes)}")
