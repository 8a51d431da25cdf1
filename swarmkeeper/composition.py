"""Builds the parts that several functions share, from the environment that the template gives them.

What calls engines is built in composition_engines: the scaler has no use for the Docker SDK, whose loading takes
some 0.2 s of CPU.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from random import SystemRandom

from swarmkeeper.adapters.aws.clients import AwsClients
from swarmkeeper.adapters.aws.clock import SystemClock
from swarmkeeper.adapters.aws.commands import RunCommands
from swarmkeeper.adapters.aws.decision_records import DynamoDecisions
from swarmkeeper.adapters.aws.events import EventBus
from swarmkeeper.adapters.aws.fleet import AutoScalingFleet
from swarmkeeper.adapters.aws.pull_items import DynamoPulls
from swarmkeeper.adapters.aws.secrets import FleetSecrets
from swarmkeeper.adapters.aws.settings_source import read_settings_text
from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.adapters.aws.watch_items import DynamoWatches
from swarmkeeper.domain.model import NodeId, Pool, PoolName
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.pools import PoolPlan
from swarmkeeper.edge.placement import placement_options
from swarmkeeper.edge.pools import pool_plans
from swarmkeeper.edge.settings import Settings
from swarmkeeper.errors import InvalidInput
from swarmkeeper.services.departures import Departures
from swarmkeeper.services.pulls import Puller
from swarmkeeper.services.view import FleetView

NETWORK = "fleet"
"""The overlay network that all containers share while `network.isolation` is `fleet`."""
CLIENTS = ("placement", "registrar", "reconciler")
"""The functions that have a client certificate of their own."""


@dataclass(frozen=True)
class Composition:
    """The shared parts, each built when it is first asked for."""

    environ: Mapping[str, str]

    @cached_property
    def fleet_name(self) -> str:
        return self.variable("SWARMKEEPER_FLEET")

    @cached_property
    def clients(self) -> AwsClients:
        return AwsClients()

    @cached_property
    def clock(self) -> SystemClock:
        return SystemClock()

    @cached_property
    def random(self) -> SystemRandom:
        return SystemRandom()

    @cached_property
    def settings(self) -> Settings:
        name = self.variable("SWARMKEEPER_SETTINGS_PARAMETER")
        return Settings.from_json(read_settings_text(self.clients.ssm, name))

    @cached_property
    def placement_options(self) -> PlacementOptions:
        return placement_options(self.settings.placement)

    @cached_property
    def store(self) -> DynamoStore:
        return DynamoStore(self.clients.dynamodb, self.variable("SWARMKEEPER_TABLE"))

    @cached_property
    def history(self) -> DynamoDecisions:
        return DynamoDecisions(self.clients.dynamodb, self.variable("SWARMKEEPER_HISTORY_TABLE"))

    @cached_property
    def view(self) -> FleetView:
        return FleetView(store=self.store, clock=self.clock, options=self.placement_options)

    @cached_property
    def pulls(self) -> DynamoPulls:
        return DynamoPulls(self.store.table)

    @cached_property
    def watches(self) -> DynamoWatches:
        return DynamoWatches(self.store.table)

    @cached_property
    def puller(self) -> Puller:
        return Puller(pulls=self.pulls, commands=self.commands, clock=self.clock)

    @cached_property
    def departures(self) -> Departures:
        return Departures(fleet_name=self.fleet_name, store=self.store, events=self.events, clock=self.clock)

    @cached_property
    def fleet(self) -> AutoScalingFleet:
        return AutoScalingFleet(self.clients.autoscaling, self.clients.ec2)

    @cached_property
    def commands(self) -> RunCommands:
        return RunCommands(self.clients.ssm, self.fleet_name, is_windows=self._is_windows)

    def _is_windows(self, node_id: NodeId) -> bool:
        """Asked of the table only where there are such nodes at all."""
        windows = self.settings.windows_pools
        node = self.store.node(node_id) if windows else None
        return node is not None and node.pool in windows

    @cached_property
    def events(self) -> EventBus:
        return EventBus(self.clients.events, self.fleet_name)

    @cached_property
    def secrets(self) -> FleetSecrets:
        return FleetSecrets(self.clients.secretsmanager, self.fleet_name)

    @cached_property
    def plans(self) -> Mapping[PoolName, PoolPlan]:
        return pool_plans(self.settings, self.fleet.type_capacity)

    @cached_property
    def pools(self) -> tuple[Pool, ...]:
        return tuple(plan.pool for plan in self.plans.values())

    def variable(self, name: str) -> str:
        """A variable of the environment. Raises InvalidInput when it is missing."""
        value = self.environ.get(name, "")
        if not value:
            raise InvalidInput(name, "is not set in the function's environment")
        return value


def pause(seconds: float) -> None:
    """Wait a few milliseconds between two tries of a contended write; never longer inside a function."""
    time.sleep(min(seconds, 1.0))
