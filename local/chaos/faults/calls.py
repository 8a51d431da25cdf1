"""Faults of AWS's APIs: a share of the functions' calls of one service is throttled, or fails."""

from __future__ import annotations

import random
import threading
from collections.abc import Collection, Mapping
from http import HTTPStatus

from local.aws.obstacles import Call, Refused
from local.chaos.faults.kinds import Injected, Injector
from local.chaos.healing import WorkDone
from local.chaos.plan import Kind, Planned
from local.chaos.snapshot import Snapshot
from local.chaos.stage import Stage

SERVICES = ("autoscaling", "dynamodb", "ec2", "events", "ssm")
SHARE = 0.5
THROTTLED = Refused(HTTPStatus.BAD_REQUEST, "ThrottlingException", "Rate exceeded")
FAILED = Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalFailure", "The request failed due to an internal error")


class Refusing:
    """Answers a share of one service's calls so."""

    def __init__(self, service: str, refused: Refused, *, seed: float) -> None:
        self._service = service
        self._refused = refused
        self._dice = random.Random(seed)  # noqa: S311  guards no secret
        self._lock = threading.Lock()

    def before(self, call: Call) -> Refused | None:
        if call.service != self._service:
            return None
        with self._lock:
            hit = self._dice.random() < SHARE
        return self._refused if hit else None

    def after(self, call: Call) -> None:
        """What was carried out is answered."""


def _refusing(refused: Refused) -> Injector:
    def inject(stage: Stage, planned: Planned, seen: Snapshot, hit: Collection[str]) -> Injected:
        service = planned.choice(SERVICES)
        one, obstacles = Refusing(service, refused, seed=planned.target), stage.cloud.server.obstacles
        return Injected(
            target=service,
            begin=lambda: obstacles.put_up(one),
            end=lambda: obstacles.take_away(one),
            healing=WorkDone,
            lasts_s=planned.lasts_s,
        )

    return inject


INJECTORS: Mapping[Kind, Injector] = {
    Kind.THROTTLED: _refusing(THROTTLED),
    Kind.SERVER_ERRORS: _refusing(FAILED),
}
