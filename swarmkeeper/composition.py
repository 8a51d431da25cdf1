"""Builds the parts that several functions share, from the environment that the template gives them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from random import SystemRandom
from typing import TYPE_CHECKING

import boto3

from swarmkeeper.adapters.aws.clients import AwsClients, config
from swarmkeeper.adapters.aws.clock import SystemClock
from swarmkeeper.adapters.aws.commands import RunCommands
from swarmkeeper.adapters.aws.decision_records import DynamoDecisions
from swarmkeeper.adapters.aws.events import EventBus
from swarmkeeper.adapters.aws.fleet import AutoScalingFleet
from swarmkeeper.adapters.aws.metrics import emit_engine_call
from swarmkeeper.adapters.aws.pull_items import DynamoPulls
from swarmkeeper.adapters.aws.secrets import FleetSecrets
from swarmkeeper.adapters.aws.settings_source import read_settings_text
from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.adapters.aws.watch_items import DynamoWatches
from swarmkeeper.adapters.engine.clients import EngineClients
from swarmkeeper.adapters.engine.engines import DockerEngines
from swarmkeeper.adapters.engine.identity import ClientIdentity
from swarmkeeper.adapters.engine.shared_volumes import SharedStorage
from swarmkeeper.adapters.engine.storage_source import storage_of
from swarmkeeper.adapters.engine.swarm import DockerSwarm
from swarmkeeper.domain.model import Pool, PoolName
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.pools import PoolPlan
from swarmkeeper.edge.placement import placement_options
from swarmkeeper.edge.pools import pool_plans
from swarmkeeper.edge.settings import Settings
from swarmkeeper.errors import InvalidInput
from swarmkeeper.services.departures import Departures
from swarmkeeper.services.managers import Managers
from swarmkeeper.services.pulls import Puller
from swarmkeeper.services.remover import Remover
from swarmkeeper.services.view import FleetView

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sqs import SQSClient

NETWORK = "fleet"
"""The overlay network that all containers share while `network.isolation` is `fleet`."""
CLIENTS = ("placement", "registrar", "reconciler")
"""The functions that have a client certificate of their own."""


@dataclass(frozen=True)
class Composition:
    """The shared parts, each built when it is first asked for. `function` names the caller's certificate."""

    environ: Mapping[str, str]
    function: str

    @cached_property
    def fleet_name(self) -> str:
        return self.variable("SWARMKEEPER_FLEET")

    @cached_property
    def session(self) -> boto3.session.Session:
        return boto3.session.Session()

    @cached_property
    def clients(self) -> AwsClients:
        return AwsClients.from_session(self.session)

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        return self.session.client("cloudwatch", config=config())

    @cached_property
    def sqs(self) -> SQSClient:
        return self.session.client("sqs", config=config())

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
    def remover(self) -> Remover:
        return Remover(store=self.store, engines=self.engines, clock=self.clock)

    @cached_property
    def fleet(self) -> AutoScalingFleet:
        return AutoScalingFleet(self.clients.autoscaling, self.clients.ec2)

    @cached_property
    def commands(self) -> RunCommands:
        return RunCommands(self.clients.ssm, self.fleet_name)

    @cached_property
    def events(self) -> EventBus:
        return EventBus(self.clients.events, self.fleet_name)

    @cached_property
    def secrets(self) -> FleetSecrets:
        return FleetSecrets(self.clients.secretsmanager, self.fleet_name)

    @cached_property
    def engine_clients(self) -> EngineClients:
        return EngineClients(self._identity, observe=partial(emit_engine_call, self.fleet_name))

    @cached_property
    def engines(self) -> DockerEngines:
        return DockerEngines(self.engine_clients, fleet=self.fleet_name, storage=self.shared_storage)

    @cached_property
    def shared_storage(self) -> SharedStorage | None:
        """Where shared volumes are kept; None for a fleet that has none."""
        return storage_of(self.settings.volumes.shared, self.environ)

    @cached_property
    def swarm(self) -> DockerSwarm:
        return DockerSwarm(self.engine_clients)

    @cached_property
    def managers(self) -> Managers:
        return Managers(store=self.store, swarm=self.swarm)

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

    def _identity(self) -> ClientIdentity:
        value = self.secrets.get(f"client/{self.function}")
        return ClientIdentity(
            authority_pem=value["authority"], certificate_pem=value["certificate"], key_pem=value["key"]
        )


def pause(seconds: float) -> None:
    """Wait a few milliseconds between two tries of a contended write; never longer inside a function."""
    time.sleep(min(seconds, 1.0))
