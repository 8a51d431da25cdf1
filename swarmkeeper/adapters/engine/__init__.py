"""Docker engines and the Swarm, over the Engine API with mutual TLS."""

from swarmkeeper.adapters.engine.clients import EngineClients, Timeouts
from swarmkeeper.adapters.engine.engines import DockerEngines
from swarmkeeper.adapters.engine.identity import ClientIdentity
from swarmkeeper.adapters.engine.swarm import DockerSwarm

__all__ = ["ClientIdentity", "DockerEngines", "DockerSwarm", "EngineClients", "Timeouts"]
