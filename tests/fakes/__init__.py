"""In-memory ports with state, faithful to `swarmkeeper.ports`; what the AWS and Docker adapters do, without either."""

from tests.fakes.alarms import FakeAlarms
from tests.fakes.builders import a_limit, a_node, a_request
from tests.fakes.certificates import FakeCertificates
from tests.fakes.clock import FixedClock
from tests.fakes.commands import FakeCommands
from tests.fakes.engines import FakeEngines
from tests.fakes.events import FakeEvents
from tests.fakes.fleet import FakeFleet
from tests.fakes.store import FakeStateStore
from tests.fakes.swarm import FakeSwarm
from tests.fakes.tokens import FakeTokens

__all__ = [
    "FakeAlarms",
    "FakeCertificates",
    "FakeCommands",
    "FakeEngines",
    "FakeEvents",
    "FakeFleet",
    "FakeStateStore",
    "FakeSwarm",
    "FakeTokens",
    "FixedClock",
    "a_limit",
    "a_node",
    "a_request",
]
