"""Builds the parts that call engines, for the functions that do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

from swarmkeeper.adapters.aws.metrics import emit_engine_call
from swarmkeeper.adapters.engine.clients import EngineClients
from swarmkeeper.adapters.engine.engines import DockerEngines
from swarmkeeper.adapters.engine.identity import ClientIdentity
from swarmkeeper.adapters.engine.shared_volumes import SharedStorage
from swarmkeeper.adapters.engine.storage_source import storage_of
from swarmkeeper.adapters.engine.swarm import DockerSwarm
from swarmkeeper.adapters.engine.tenant_networks import TenantEngines, TenantRouters
from swarmkeeper.composition import Composition
from swarmkeeper.services.managers import Managers
from swarmkeeper.services.remover import Remover


@dataclass(frozen=True)
class EngineComposition(Composition):
    """The shared parts and those that call engines. `function` names the caller's certificate."""

    function: str

    @cached_property
    def engine_clients(self) -> EngineClients:
        return EngineClients(self._identity, observe=partial(emit_engine_call, self.fleet_name))

    @cached_property
    def engines(self) -> DockerEngines:
        clients, fleet, storage = self.engine_clients, self.fleet_name, self.shared_storage
        if self.settings.network.isolation == "tenant":
            return TenantEngines(clients, fleet=fleet, storage=storage, routers=self.routers)
        return DockerEngines(clients, fleet=fleet, storage=storage)

    @cached_property
    def routers(self) -> TenantRouters:
        return TenantRouters(self.engine_clients, ensure=self._ensure_network)

    @cached_property
    def shared_storage(self) -> SharedStorage | None:
        """Where shared volumes are kept; None for a fleet that has none."""
        return storage_of(self.settings.volumes.shared, self.environ)

    @cached_property
    def swarm(self) -> DockerSwarm:
        return DockerSwarm(self.engine_clients, encrypted=self.settings.network.encrypted)

    @cached_property
    def managers(self) -> Managers:
        return Managers(store=self.store, swarm=self.swarm)

    @cached_property
    def remover(self) -> Remover:
        return Remover(store=self.store, engines=self.engines, clock=self.clock)

    def _ensure_network(self, name: str) -> None:
        self.managers.ask(lambda manager: self.swarm.ensure_network(manager, name, None))

    def _identity(self) -> ClientIdentity:
        value = self.secrets.get(f"client/{self.function}")
        return ClientIdentity(
            authority_pem=value["authority"], certificate_pem=value["certificate"], key_pem=value["key"]
        )
